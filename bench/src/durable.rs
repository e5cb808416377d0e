//! The floor of the whole server: takes a body, commits it as one row with a unique key in the same commit cycle (one
//! writer thread, what arrived while the last commit ran, no timer), answers after COMMIT. No relay, no claims, no opening.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use rusqlite::{Connection, params};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{Failed, report};

/// Bodies in one transaction.
const BATCH: usize = 512;

struct Job {
    body: Bytes,
    answer: oneshot::Sender<Uuid>,
}

/// Between the connections and the writer.
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Job>,
    /// Whether the writer sleeps: a floor wakes nobody who is awake.
    asleep: bool,
}

impl Queue {
    fn push(&self, job: Job) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.jobs.push(job);
        if std::mem::take(&mut state.asleep) {
            self.arrived.notify_one();
        }
    }

    fn pull(&self) -> Vec<Job> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |state: &mut Waiting| {
            state.asleep = state.jobs.is_empty();
            state.asleep
        };
        let mut state = self.arrived.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner);
        let count = state.jobs.len().min(BATCH);
        state.jobs.drain(..count).collect()
    }
}

/// Serves until it is killed; says where on standard output, as the gateway does.
pub(crate) fn serve(data: &Path) -> Result<(), Failed> {
    let connection = database(data).map_err(Failed::of)?;
    let queue = Arc::new(Queue::default());
    let writing = Arc::clone(&queue);
    std::thread::spawn(move || write(connection, &writing));
    let app = Router::new().route("/ingest/{relay}", post(take)).with_state(queue);
    let runtime = tokio::runtime::Runtime::new().map_err(Failed::of)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(Failed::of)?;
        let address = listener.local_addr().map_err(Failed::of)?;
        report::say(format_args!("listening on http://{address}"));
        axum::serve(listener, app).await.map_err(Failed::of)
    })
}

fn database(data: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(data.join("floor.db"))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE body (id BLOB PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID")?;
    Ok(connection)
}

async fn take(State(queue): State<Arc<Queue>>, body: Bytes) -> Response {
    let (answer, answered) = oneshot::channel();
    queue.push(Job { body, answer });
    match answered.await {
        Ok(id) => (StatusCode::ACCEPTED, [(header::CONTENT_TYPE, "text/plain")], id.to_string()).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Ends where storing fails: those who wait are answered 503.
fn write(mut connection: Connection, queue: &Queue) {
    loop {
        let jobs = queue.pull();
        match commit(&mut connection, &jobs) {
            Ok(ids) => jobs.into_iter().zip(ids).for_each(|(job, id)| {
                // Who no longer listens needs no answer.
                let _ = job.answer.send(id);
            }),
            Err(error) => return report::say(format_args!("cannot store: {error}")),
        }
    }
}

fn commit(connection: &mut Connection, jobs: &[Job]) -> rusqlite::Result<Vec<Uuid>> {
    let transaction = connection.transaction()?;
    let mut ids = Vec::with_capacity(jobs.len());
    for job in jobs {
        let id = Uuid::now_v7();
        transaction
            .prepare_cached("INSERT INTO body VALUES (?1, ?2)")?
            .execute(params![id.as_bytes(), &job.body[..]])?;
        ids.push(id);
    }
    transaction.commit()?;
    Ok(ids)
}
