//! What is proven, judged: sender, shape, binding, freshness, content (profile.md §5, steps 4 and 5).
//!
//! May import `item`, `guard` and its children, `open`'s results, and the keystore's data. Every layer is authentic by
//! now, so a no may name the device. Sequence and once-only come after, in the transaction that concludes the message.

use keystore::key::{EndpointBinding, KeyRef, Policy, Shape};

use crate::guard::settled::{Counter, Facts, Flag, Sequenced, Settled};
use crate::guard::{Arrival, Denied};
use crate::item::{Claims, ContentType, Countersigned, Departure, Format, LayerSummary, Proven, Reason, Timestamp};
use crate::open::{Opened, Proof, ProvenLayer};

/// Content format of a message under the profile that names none: SenML CBOR (profile.md §2, label 3).
const SENML_CBOR: u64 = 112;

/// Judges an opened message.
pub fn settle(opened: Opened, arrival: &Arrival<'_>) -> Result<Settled, Denied> {
    let layers = opened.proof().layers();
    let sender = sender(layers);
    let innermost = layers.len().saturating_sub(1);
    let proving = layers.iter().rposition(ProvenLayer::proves_sender).unwrap_or(innermost);
    if sender.is_none() && !arrival.unauthenticated_sender && !layers.last().is_some_and(allows_anybody) {
        let detail = "encrypted to our public key, and nobody signed it";
        return Err(Denied::new(Reason::UnauthenticatedSender, detail).at(innermost));
    }
    let device = sender.and_then(|layer| layer.key().device.clone());
    judge(&opened, sender, arrival).map(|flags| facts(opened, flags)).map(Settled::new).map_err(|denied| Denied {
        device,
        layer: denied.layer.or(Some(proving)),
        ..denied
    })
}

/// Whether the record of our key allows what nobody known stands behind.
fn allows_anybody(layer: &ProvenLayer) -> bool {
    layer.key().policy.compat.iter().any(|name| name == Departure::UnauthenticatedSender.as_str())
}

/// The layer that authenticates the sender: the innermost that can. A signature around what anybody could have encrypted
/// to our public key says who passed it on, and not who wrote it (threats.md A14); in CMS, where that is common, it counts
/// and is flagged (cms.md §3).
fn sender(layers: &[ProvenLayer]) -> Option<&ProvenLayer> {
    let at = layers.iter().rposition(ProvenLayer::proves_sender)?;
    let passed_on = layers[at].is_signed() && layers[at + 1..].iter().any(ProvenLayer::is_aead);
    layers.get(at).filter(|layer| !passed_on || layer.format() == Format::Cms)
}

/// Whether the sender's signature is around ciphertext.
fn signs_ciphertext(layers: &[ProvenLayer]) -> bool {
    let at = layers.iter().rposition(ProvenLayer::proves_sender);
    at.is_some_and(|at| layers[at].is_signed() && layers[at + 1..].iter().any(|layer| !layer.is_signed()))
}

fn judge(opened: &Opened, sender: Option<&ProvenLayer>, arrival: &Arrival<'_>) -> Result<Vec<Flag>, Denied> {
    let layers = opened.proof().layers();
    let mut flags = Vec::new();
    if let Some(sender) = sender {
        shape(layers, sender)?;
    }
    binding(layers)?;
    if let Some(sender) = sender {
        bound(sender, arrival)?;
        agreement(layers)?;
        flags.extend(endpoint(sender.key(), arrival)?);
        addressed(sender)?;
        flags.extend(signs_ciphertext(layers).then_some(Flag::SignsCiphertext));
    }
    flags.extend(freshness(layers, arrival.received_at)?);
    if arrival.judges_expiry {
        expiry(layers, arrival.received_at)?;
    }
    content(opened, sender)?;
    Ok(flags)
}

/// Each key under the profile allows the shape that the layers make.
fn shape(layers: &[ProvenLayer], sender: &ProvenLayer) -> Result<(), Denied> {
    // An AEAD layer under the device's own key proves it; one to our public key proves nobody.
    let form = |layer: &ProvenLayer| (layer.is_signed(), layer.proves_sender());
    let shape = match layers.iter().map(form).collect::<Vec<_>>().as_slice() {
        [(false, true)] => Some(Shape::S),
        [(false, true), (true, _)] => Some(Shape::G),
        [(false, false), (true, _)] => Some(Shape::P),
        _ => None,
    };
    let strict = sender.key().policy.strict_profile;
    let allowed = |layer: &ProvenLayer| {
        let policy = &layer.key().policy;
        !policy.strict_profile || shape.is_some_and(|shape| policy.shapes.contains(&shape))
    };
    if strict && !layers.iter().filter(|layer| layer.proves_sender()).all(allowed) {
        return Err(Denied::new(Reason::ShapeNotAllowed, "a shape that the key's policy excludes"));
    }
    Ok(())
}

fn binding(layers: &[ProvenLayer]) -> Result<(), Denied> {
    let detail = "sealed for another path or audience than claimed";
    match layers.iter().position(|layer| !layer.binding().fitting) {
        Some(nth) => Err(Denied::new(Reason::BindingMismatch, detail).at(nth)),
        None => Ok(()),
    }
}

/// The profile asks for a binding. Where it is not sent, it was tried; where it travels, it may be absent.
fn bound(sender: &ProvenLayer, arrival: &Arrival<'_>) -> Result<(), Denied> {
    let missing = sender.key().policy.strict_profile && sender.binding().audience.is_none();
    match missing && arrival.external_aad.is_none() {
        true => Err(Denied::new(Reason::ClaimMissing, "the profile asks for a binding, and there is none")),
        false => Ok(()),
    }
}

/// Layers that each prove a sender prove the same one, and G's counters agree (profile.md §5 step 4).
fn agreement(layers: &[ProvenLayer]) -> Result<(), Denied> {
    let mut proving = layers.iter().enumerate().filter(|(_, layer)| layer.proves_sender());
    let Some((_, first)) = proving.next() else { return Ok(()) };
    for (nth, layer) in proving {
        let detail = if layer.key().device != first.key().device {
            "inner and outer device differ"
        } else if differ(layer.sequence(), first.sequence()) {
            "inner and outer sequence differ"
        } else if layer.counts() && first.counts() && layer.kid_context() != first.kid_context() {
            "inner and outer kid context differ"
        } else {
            continue;
        };
        return Err(Denied::new(Reason::BindingMismatch, detail).at(nth));
    }
    Ok(())
}

/// Whether two numbers that are both there differ.
fn differ(inner: Option<u64>, outer: Option<u64>) -> bool {
    matches!((inner, outer), (Some(inner), Some(outer)) if inner != outer)
}

fn endpoint(key: &KeyRef, arrival: &Arrival<'_>) -> Result<Option<Flag>, Denied> {
    match (endpoint_agrees(key, arrival.claims), key.policy.endpoint_binding) {
        (Some(false), EndpointBinding::Pinned) => {
            Err(Denied::new(Reason::BindingMismatch, "the relay names another endpoint than the device's"))
        }
        (Some(false), EndpointBinding::Flagged) => Ok(Some(Flag::EndpointMismatch)),
        _ => Ok(None),
    }
}

/// Whether the relay's endpoint name agrees with the device's; none where it is not looked at, or nothing is claimed.
fn endpoint_agrees(key: &KeyRef, claims: &Claims) -> Option<bool> {
    let claimed = claims.endpoint.as_deref()?;
    let expected = key.policy.endpoint.as_deref().or(key.device.as_deref())?;
    (key.policy.endpoint_binding != EndpointBinding::Ignored).then_some(claimed == expected)
}

/// Claims for foreign receivers: where present they equal the device and the audience (profile.md §2, label 15).
fn addressed(sender: &ProvenLayer) -> Result<(), Denied> {
    let Some(claims) = sender.claims() else { return Ok(()) };
    let key = sender.key();
    if claims.sub.is_some() && claims.sub != key.device {
        return Err(Denied::new(Reason::BindingMismatch, "the sub claim names another device"));
    }
    let bound = sender.binding().audience.as_ref();
    let ours = |aud: &String| bound.map_or_else(|| key.policy.audience.contains(aud), |bound| bound == aud);
    let known = bound.is_some() || !key.policy.audience.is_empty();
    if known && !claims.aud.is_empty() && !claims.aud.iter().any(ours) {
        return Err(Denied::new(Reason::BindingMismatch, "the aud claim names another application"));
    }
    Ok(())
}

/// The acceptance window of each layer's policy, at the time of arrival (contract.md §4).
fn freshness(layers: &[ProvenLayer], received_at: Timestamp) -> Result<Option<Flag>, Denied> {
    let issued_at = issued_at(layers);
    let mut late = None;
    for policy in layers.iter().filter(|layer| layer.proves_sender()).map(|layer| &layer.key().policy) {
        let Some(issued_at) = issued_at else {
            if policy.iat_required {
                return Err(Denied::new(Reason::ClaimMissing, "policy requires the iat claim"));
            }
            continue;
        };
        if issued_at > received_at.plus_seconds(policy.max_future_s) {
            return Err(Denied::new(Reason::FromFuture, "issued beyond the allowed clock skew"));
        }
        if policy.max_age_s.is_some_and(|age| issued_at.plus_seconds(age) < received_at) {
            return Err(Denied::new(Reason::TooOld, "older than the acceptance window"));
        }
        if issued_at.plus_seconds(policy.late_after_s) < received_at {
            late = Some(Flag::Late);
        }
    }
    Ok(late)
}

/// exp and nbf of a token, with the clock skew of its key's policy (RFC 7519 §4.1.4, §4.1.5).
fn expiry(layers: &[ProvenLayer], received_at: Timestamp) -> Result<(), Denied> {
    for layer in layers {
        let skew = layer.key().policy.max_future_s;
        let times = layer.claims().map(|claims| (claims.exp, claims.nbf)).unwrap_or_default();
        let (exp, nbf) = (times.0.map(Timestamp::from_seconds), times.1.map(Timestamp::from_seconds));
        if exp.is_some_and(|exp| exp.plus_seconds(skew) <= received_at) {
            return Err(Denied::new(Reason::TooOld, "the token has expired"));
        }
        if nbf.is_some_and(|nbf| nbf > received_at.plus_seconds(skew)) {
            return Err(Denied::new(Reason::FromFuture, "the token is not valid yet"));
        }
    }
    Ok(())
}

fn issued_at(layers: &[ProvenLayer]) -> Option<Timestamp> {
    let claimed = layers.iter().rev().find_map(|layer| layer.claims().and_then(|claims| claims.iat));
    claimed.map(Timestamp::from_seconds)
}

/// The same, but reported only.
fn signed_at(layers: &[ProvenLayer]) -> Option<Timestamp> {
    let claimed = layers.iter().rev().find_map(|layer| layer.claims().and_then(|claims| claims.signed_at));
    claimed.map(Timestamp::from_seconds)
}

fn content(opened: &Opened, sender: Option<&ProvenLayer>) -> Result<(), Denied> {
    let Some(policy) = policy(opened.proof(), sender) else { return Ok(()) };
    if opened.content().len() > policy.max_plaintext {
        return Err(Denied::new(Reason::ContentNotAllowed, "content over the size that policy allows"));
    }
    let allowed = &policy.content_formats;
    match content_type(opened.proof(), sender).as_ref().map(format_number) {
        Some(number) if !allowed.is_empty() && !number.is_some_and(|number| allowed.contains(&number)) => {
            Err(Denied::new(Reason::ContentNotAllowed, "a content format that policy excludes"))
        }
        _ => Ok(()),
    }
}

/// The policy that judges content: the sender's, else that of the key which opened the innermost layer.
fn policy<'a>(proof: &'a Proof, sender: Option<&'a ProvenLayer>) -> Option<&'a Policy> {
    sender.or_else(|| proof.layers().last()).map(|layer| &layer.key().policy)
}

/// From the innermost layer's protected headers, else from policy; never sniffed (payload.md §1).
fn content_type(proof: &Proof, sender: Option<&ProvenLayer>) -> Option<ContentType> {
    let stated = proof.layers().last().and_then(ProvenLayer::content_type).cloned();
    stated.or_else(|| {
        let policy = policy(proof, sender)?;
        let default = if policy.strict_profile { Some(SENML_CBOR) } else { None };
        policy.content_format.or(default).map(ContentType::Format)
    })
}

/// CoAP Content-Format of a media type (IANA registry), so that policy has one list.
fn format_number(content_type: &ContentType) -> Option<u64> {
    let media = match content_type {
        ContentType::Format(number) => return Some(*number),
        ContentType::Media(media) => media.split(';').next().unwrap_or_default().trim(),
    };
    Some(match media {
        "text/plain" => 0,
        "application/link-format" => 40,
        "application/octet-stream" => 42,
        "application/json" => 50,
        "application/cbor" => 60,
        "application/senml+json" => 110,
        "application/senml+cbor" => 112,
        "application/vnd.oma.lwm2m+tlv" => 11542,
        "application/vnd.oma.lwm2m+json" => 11543,
        "application/vnd.oma.lwm2m+cbor" => 11544,
        _ => return None,
    })
}

fn facts(opened: Opened, flags: Vec<Flag>) -> Facts {
    let proof = opened.proof();
    let layers = proof.layers();
    let sender = sender(layers);
    let policy = policy(proof, sender);
    let max_readings = policy.map_or(0, |policy| policy.max_readings);
    let max_future_s = policy.map_or(0, |policy| policy.max_future_s);
    let max_silence_s = policy.and_then(|policy| policy.max_silence_s);
    let outermost = layers.first().map(|layer| (layer.format(), layer.structure()));
    let (format, structure) = proof.outside().or(outermost).unwrap_or((Format::Cose, ""));
    let (layer_summaries, proven) = (layers.iter().map(summary).collect(), proven(layers, sender));
    let (sequenced, content_type) = (sequenced(layers), content_type(proof, sender));
    let (content, identity) = opened.into_content();
    Facts {
        format,
        structure,
        layers: layer_summaries,
        proven,
        identity,
        sequenced,
        flags,
        content_type,
        content,
        max_readings,
        max_future_s,
        max_silence_s,
    }
}

fn summary(layer: &ProvenLayer) -> LayerSummary {
    LayerSummary {
        structure: layer.structure().to_owned(),
        alg: Some(layer.algorithm().to_owned()),
        kid: Some(layer.key().kid.clone()),
        countersignatures: layer.countersignatures().to_vec(),
    }
}

fn proven(layers: &[ProvenLayer], sender: Option<&ProvenLayer>) -> Proven {
    let of = |signed: bool| layers.iter().find(|layer| layer.is_signed() == signed);
    let name = |layer: &ProvenLayer| layer.algorithm().to_owned();
    let key = sender.map(ProvenLayer::key);
    let bound = sender.map(ProvenLayer::binding);
    Proven {
        sender: key.and_then(|key| key.device.clone()),
        key: key.map(|key| key.id.clone()),
        key_version: key.map(|key| key.version),
        kid: key.map(|key| key.kid.clone()),
        signature_alg: of(true).map(name),
        content_alg: of(false).map(name),
        key_management_alg: layers.iter().find_map(ProvenLayer::management).map(str::to_owned),
        sequence: sender.and_then(ProvenLayer::sequence),
        kid_context: sender.and_then(ProvenLayer::kid_context).map(<[u8]>::to_vec),
        issued_at: issued_at(layers).or_else(|| signed_at(layers)).filter(|_| sender.is_some()),
        audience: bound.and_then(|binding| binding.audience.clone()).or_else(|| claimed_audience(sender?)),
        path: bound.and_then(|binding| binding.path.clone()),
        countersignatures: verified(layers),
        token: sender.and_then(ProvenLayer::claims).and_then(|claims| claims.token.clone()),
    }
}

/// The audience that a token claims: that of several which names us.
fn claimed_audience(sender: &ProvenLayer) -> Option<String> {
    let (claimed, ours) = (&sender.claims()?.aud, &sender.key().policy.audience);
    claimed.iter().find(|aud| ours.contains(aud)).or_else(|| claimed.first()).cloned()
}

fn verified(layers: &[ProvenLayer]) -> Vec<Countersigned> {
    let all = layers.iter().flat_map(ProvenLayer::countersignatures);
    all.filter(|countersigned| countersigned.verified == Some(true)).cloned().collect()
}

/// The counter of a message: that of the outermost layer which counts, in COSE the symmetric key's in S and G, the
/// signing key's in P; where two count, the number is remembered under the second key as well (profile.md §6).
fn sequenced(layers: &[ProvenLayer]) -> Option<Sequenced> {
    let mut proving = layers.iter().filter(|layer| layer.proves_sender() && layer.counts());
    let counted = proving.next()?;
    let policy = &counted.key().policy;
    Some(Sequenced {
        number: counted.sequence()?,
        counter: counter(counted),
        also: proving.next().map(counter),
        expect_from: policy.expect_from,
        strict: policy.strict_order,
    })
}

fn counter(layer: &ProvenLayer) -> Counter {
    Counter {
        key: layer.key().id.clone(),
        key_version: layer.key().version,
        kid_context: layer.kid_context().unwrap_or_default().to_vec(),
    }
}
