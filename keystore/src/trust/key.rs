//! The key of a certificate on a path, made into one that runs recipes: under its anchor's policy, for its device.

use std::sync::Arc;

use crate::Defaults;
use crate::certificate::Certificate;
use crate::import::draft::jwk_thumbprint;
use crate::import::pem;
use crate::key::{Algorithm, Entry, KeyRef, Status};
use crate::ops::Material;
use crate::private_key::KeyMaterial;
use crate::records::key::{KeyRow, Use};
use crate::trust::policy::AnchorPolicy;
use crate::trust::{Chain, Usage};

/// None for a key that is not supported, or that can run nothing that it may.
pub(super) fn of(
    leaf: &Certificate,
    chain: &Chain<'_>,
    anchor: &AnchorPolicy,
    defaults: &Defaults,
    (tenant, device): (&str, String),
) -> Option<KeyRef> {
    let material = pem::public(&leaf.spki)?;
    let algs = algorithms(&material, chain, anchor);
    let row = row(leaf, &material, algs, anchor, tenant, device);
    let policy = row.stated.resolve(&row, row.device.as_deref(), defaults);
    let material = Material::new(material, &row.algs).filter(|_| !row.algs.is_empty())?;
    let card = row.card(false, policy);
    Some(KeyRef(Arc::new(Entry { card, material, priv_other: None })))
}

/// What the key may run: what the anchor's owner names, else in CMS whatever it can, which the message's own algorithm
/// policy then narrows, and in the other formats what needs no naming.
fn algorithms(key: &KeyMaterial, chain: &Chain<'_>, anchor: &AnchorPolicy) -> Vec<Algorithm> {
    let has_done = |algorithm: &Algorithm| match chain.usage {
        Usage::Agrees => algorithm.is_static(),
        Usage::Signs => algorithm.is_signature(),
    };
    let may = |algorithm: &Algorithm| match anchor.algs.as_slice() {
        [] => chain.format == "cms" || !KeyMaterial::only_by_name(*algorithm),
        _ => anchor.names(*algorithm, key.kty()),
    };
    let fits = |algorithm: &Algorithm| key.fits(*algorithm, false) && has_done(algorithm) && may(algorithm);
    Algorithm::ALL.iter().copied().filter(fits).collect()
}

/// The row that such a key would have.
fn row(
    leaf: &Certificate,
    key: &KeyMaterial,
    algs: Vec<Algorithm>,
    anchor: &AnchorPolicy,
    tenant: &str,
    device: String,
) -> KeyRow {
    KeyRow {
        tenant: tenant.to_owned(),
        id: format!("x5c:{}", leaf.id()),
        version: 1,
        kid: leaf.kid(),
        thumbprint: jwk_thumbprint(key),
        kty: key.kty(),
        purpose: Use::Sig,
        algs,
        formats: anchor.formats.clone(),
        device: Some(device),
        status: Status::Active,
        reason: None,
        changed: 0,
        not_before: Some(leaf.not_before),
        not_after: Some(leaf.not_after),
        exportable: false,
        created: 0,
        stated: anchor.stated.clone(),
        sealed: None,
    }
}
