//! The demo is a promise too: each kind of attack is caught, no honest reading is lost, the counters reconcile.

use crate::gateway::paperknife;

#[test]
fn the_demo_catches_every_kind_of_attack() {
    let output = paperknife(&["demo", "--for", "12", "--rate", "40"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines_with = |mark: &str| shown.lines().filter(|line| line.starts_with(mark)).count();
    assert!(lines_with("  reading") >= 100, "{shown}");
    for attack in ["tamper", "replay", "swap endpoint", "swap path", "reorder", "drop", "delay"] {
        assert!(
            shown.lines().any(|line| line.starts_with("! attack") && line.contains(attack)),
            "no {attack}:\n{shown}"
        );
    }
    assert!(shown.contains("7 kinds of attack caught"), "{shown}");
}
