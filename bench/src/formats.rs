//! Shape P in JOSE and in CMS: opening in memory beside bare primitives, and beside what others would open it with, josekit
//! and OpenSSL, in the same batches. Neither of them looks at a binding, a policy or a reading.

use josekit::jwe::alg::ecdh_es::EcdhEsJweAlgorithm;
use josekit::jwe::{self, ECDH_ES_A128KW, JweDecrypter};
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jws::alg::ecdsa::EcdsaJwsVerifier;
use josekit::jws::{self, ES256};
use keystore::{Defaults, ImportOptions, Keystore};
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::{X509, X509Builder, X509Extension};
use paperknife::envelope::Limits;
use paperknife::guard::Arrival;
use paperknife::item::{Claims, Compat, Sealed, Timestamp};
use paperknife::opening::{self, House};
use paperknife::store::ledger::Finding;
use paperknife_device::algorithm::SignatureAlgorithm;
use paperknife_device::device::Device;
use paperknife_device::format::Format;
use paperknife_device::key_set::{Jwk as DeviceJwk, KeySet};
use paperknife_device::provision::{Blueprint, Kids, SysRng, provision};
use paperknife_device::seal::Shape;
use paperknife_device::senml::{Reading, json, pack};
use paperknife_device::sequence::Memory;
use paperknife_device::{cms, jose};
use serde_json::{Value, json as object};

use crate::Failed;
use crate::cpu::{self, Samples};
use crate::fleet::{RELAY, TENANT};
use crate::primitives::{self, Wire};
use crate::report::{Figure, Report, title};

const DEVICES: usize = 200;
/// Envelopes opened in a batch, with their floor and the other library.
const BATCH: usize = 1_000;
const AUDIENCE: &str = "bench";
const PATH: &str = "/19/0/0";
/// Most times the bare primitives.
const FACTOR: f64 = 1.3;

/// Measures both.
pub(crate) fn measure(batches: usize, report: &mut Report) -> Result<(), Failed> {
    title("Shape P in JOSE and CMS, beside bare primitives and other libraries (processor time a message)");
    let scene = Scene::new(Format::Jose)?;
    let josekit = Josekit::new(&scene)?;
    beside(&scene, Wire::JOSE, "josekit", |nth| josekit.open(&scene.sealed[nth], nth % DEVICES), batches, report)?;
    let scene = Scene::new(Format::Cms)?;
    let openssl = Openssl::new(&scene)?;
    beside(&scene, Wire::CMS, "OpenSSL", |nth| openssl.open(&scene.sealed[nth], nth % DEVICES), batches, report)
}

fn beside(
    scene: &Scene,
    wire: Wire,
    library: &str,
    other: impl Fn(usize) -> Result<(), Failed>,
    batches: usize,
    report: &mut Report,
) -> Result<(), Failed> {
    let gateway = primitives::gateway()?;
    let keys: Vec<_> = (0..DEVICES).map(|_| primitives::P::new(&gateway, wire)).collect::<Result<_, _>>()?;
    let bare = |nth: usize| keys[nth % DEVICES].open(&gateway).map(drop);
    let (mut floor, mut ours, mut theirs) = (Samples::default(), Samples::default(), Samples::default());
    scene.open()?; // warms keys
    for _ in 0..batches {
        timed(&mut floor, || (0..BATCH).try_for_each(bare))?;
        timed(&mut ours, || scene.open())?;
        timed(&mut theirs, || (0..BATCH).try_for_each(&other))?;
    }
    let format = scene.format.name().to_uppercase();
    report.add(Figure::new(format!("bare primitives, P in {format}"), floor.median(), "us").min(floor.min()));
    report.add(Figure::new(format!("{library}, P in {format}"), theirs.median(), "us").min(theirs.min()));
    let figure = Figure::new(format!("opening in memory, P in {format}"), ours.median(), "us").min(ours.min());
    report.add(figure.at_most_times(FACTOR, floor.median()));
    Ok(())
}

fn timed(samples: &mut Samples, work: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
    let (time, done) = cpu::of(work);
    done?;
    samples.add(time, BATCH);
    Ok(())
}

/// A gateway that knows a fleet, and what the fleet sealed.
struct Scene {
    format: Format,
    house: House,
    sealed: Vec<Vec<u8>>,
    gateway: EcKeyPair,
    /// Public halves, one a device.
    devices: Vec<DeviceJwk>,
    /// Private halves with their kids, one a device.
    private: Vec<Value>,
}

impl Scene {
    fn new(format: Format) -> Result<Self, Failed> {
        let gateway = EcKeyPair::generate(EcCurve::P256).map_err(Failed::of)?;
        let mut ours = member(&gateway.to_jwk_key_pair())?;
        ours["kid"] = object!("gw");
        ours["alg"] = object!("ECDH-ES+A128KW");
        let keystore = Keystore::ephemeral(Defaults::default()).map_err(Failed::of)?;
        let import = |set: &[u8]| keystore.import(set, &ImportOptions::default()).map(drop).map_err(Failed::of);
        import(object!({"keys": [ours]}).to_string().as_bytes())?;
        ours.as_object_mut().map(|members| members.remove("d"));
        let public = KeySet::from_json(object!({"keys": [ours]}).to_string().as_bytes()).map_err(Failed::of)?;
        let public = public.gateway().map_err(Failed::of)?;
        let (mut kids, mut fleet, mut devices, mut private) = (Kids::default(), Vec::new(), Vec::new(), Vec::new());
        for nth in 0..DEVICES {
            let blueprint = Blueprint {
                device: &format!("urn:dev:bench:{nth:06}"),
                format,
                audience: AUDIENCE,
                paths: &[Some(PATH)],
                shapes: &[Shape::P],
                signature: SignatureAlgorithm::Esp256,
                gateway: public.as_ref(),
            };
            let made = provision(&blueprint, &mut kids, &mut SysRng).map_err(Failed::of)?;
            devices.extend(made.gateway_keys);
            private.extend(made.device_keys.iter().map(|key| object!(key)));
            fleet.push(Device::new(made.sealer, Memory::default(), 256).map_err(Failed::of)?);
        }
        let set = KeySet { keys: devices };
        import(&set.to_json())?;
        let sealed = (0..BATCH).map(|nth| seal(&mut fleet[nth % DEVICES], format)).collect::<Result<_, _>>()?;
        let house = House::new(keystore.into(), Limits::default());
        Ok(Self { format, house, sealed, gateway, devices: set.keys, private })
    }

    fn open(&self) -> Result<(), Failed> {
        let claims = Claims::default();
        let arrival = Arrival {
            relay: RELAY,
            tenant: TENANT,
            ..Arrival::offline(&claims, Compat::STRICT, Timestamp::from_seconds(1_780_000_000))
        };
        for sealed in &self.sealed {
            let sealed = Sealed { bytes: sealed.as_slice().into(), cose_type: None };
            match opening::find(&self.house, &arrival, &sealed).map_err(Failed::of)? {
                Finding::Opened(..) => {}
                other => return Err(Failed(format!("an envelope did not open: {other:?}"))),
            }
        }
        Ok(())
    }
}

fn seal(device: &mut Device<Memory>, format: Format) -> Result<Vec<u8>, Failed> {
    let reading = [Reading::number("/3303/0/5700", 21.5)];
    let sealed = match format {
        Format::Jose => {
            let options = jose::profile::Options::default();
            device.seal_jose(Shape::P, &json(&reading), &options, &mut SysRng).map(String::into_bytes)
        }
        Format::Cms | Format::Cose => {
            device.seal_cms(Shape::P, &pack(&reading), &cms::profile::Options::default(), &mut SysRng)
        }
    };
    sealed.map_err(Failed::of)
}

fn member(key: &Jwk) -> Result<Value, Failed> {
    serde_json::from_str(&key.to_string()).map_err(Failed::of)
}

/// josekit with its keys made ready.
struct Josekit {
    decrypter: Box<dyn JweDecrypter>,
    verifiers: Vec<EcdsaJwsVerifier>,
}

impl Josekit {
    fn new(scene: &Scene) -> Result<Self, Failed> {
        let mut ours = scene.gateway.to_jwk_key_pair();
        ours.set_key_id("gw");
        let algorithm: EcdhEsJweAlgorithm = ECDH_ES_A128KW;
        let decrypter = Box::new(algorithm.decrypter_from_jwk(&ours).map_err(Failed::of)?);
        let verifier = |key: &DeviceJwk| {
            let jwk = Jwk::from_bytes(object!(key).to_string()).map_err(Failed::of)?;
            ES256.verifier_from_jwk(&jwk).map_err(Failed::of)
        };
        Ok(Self { decrypter, verifiers: scene.devices.iter().map(verifier).collect::<Result<_, _>>()? })
    }

    fn open(&self, sealed: &[u8], device: usize) -> Result<(), Failed> {
        let (inner, _) = jwe::deserialize_compact(text(sealed)?, &*self.decrypter).map_err(Failed::of)?;
        jws::deserialize_compact(text(&inner)?, &self.verifiers[device]).map_err(Failed::of)?;
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, Failed> {
    std::str::from_utf8(bytes).map_err(Failed::of)
}

/// OpenSSL with the gateway's key, and a certificate for each device.
struct Openssl {
    gateway: PKey<Private>,
    certificates: Vec<X509>,
    store: X509Store,
}

impl Openssl {
    fn new(scene: &Scene) -> Result<Self, Failed> {
        let gateway = PKey::private_key_from_der(&scene.gateway.to_der_private_key()).map_err(Failed::of)?;
        let certificates = scene.private.iter().map(certificate).collect::<Result<_, _>>()?;
        let store = X509StoreBuilder::new().map_err(Failed::of)?.build();
        Ok(Self { gateway, certificates, store })
    }

    fn open(&self, sealed: &[u8], device: usize) -> Result<(), Failed> {
        let outer = CmsContentInfo::from_der(sealed).map_err(Failed::of)?;
        let inner = outer.decrypt_without_cert_check(&self.gateway).map_err(Failed::of)?;
        let mut signed = CmsContentInfo::from_der(&inner).map_err(Failed::of)?;
        let mut signers = Stack::new().map_err(Failed::of)?;
        signers.push(self.certificates[device].clone()).map_err(Failed::of)?;
        let mut content = Vec::new();
        let options = CMSOptions::NO_SIGNER_CERT_VERIFY | CMSOptions::BINARY;
        signed.verify(Some(&signers), Some(&self.store), None, Some(&mut content), options).map_err(Failed::of)
    }
}

/// A certificate whose subject key identifier is the key's kid.
fn certificate(private: &Value) -> Result<X509, Failed> {
    let jwk = Jwk::from_bytes(private.to_string()).map_err(Failed::of)?;
    let pair = EcKeyPair::from_jwk(&jwk).map_err(Failed::of)?;
    let key = PKey::private_key_from_der(&pair.to_der_private_key()).map_err(Failed::of)?;
    let kid = match private["paperknife"]["kid_hex"].as_str() {
        Some(hex) => hex.to_owned(),
        None => private["kid"].as_str().unwrap_or_default().bytes().map(|byte| format!("{byte:02x}")).collect(),
    };
    build(&key, &kid).map_err(Failed::of)
}

fn build(key: &PKeyRef<Private>, kid_hex: &str) -> Result<X509, openssl::error::ErrorStack> {
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*BigNum::from_u32(1)?.to_asn1_integer()?)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(1)?)?;
    let identifier = format!("04{:02x}{kid_hex}", kid_hex.len() / 2);
    let identifier: Vec<u8> = (0..identifier.len() / 2)
        .filter_map(|at| u8::from_str_radix(&identifier[2 * at..2 * at + 2], 16).ok())
        .collect();
    let value = Asn1OctetString::new_from_bytes(&identifier)?;
    builder.append_extension(X509Extension::new_from_der(&*Asn1Object::from_str("2.5.29.14")?, false, &value)?)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}
