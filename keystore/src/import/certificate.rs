//! X.509 certificates, pinned: the sender's public key, known also by the certificate's names. No path is built and no
//! signature of an issuer is looked at here: the operator vouches for what is pinned.

use crate::certificate::Certificate;
use crate::import::draft::{Certified, Offered};
use crate::import::{Fault, pem};

/// The key of a certificate, as it is offered to be pinned.
pub(super) fn offered(certificate: &Certificate) -> Result<Offered, Fault> {
    let key = pem::public(&certificate.spki);
    let key = key.ok_or_else(|| Fault::unsupported("certificate", "has a key that is not supported"))?;
    let mut offered = pem::offered(key);
    offered.owner.stated.names = certificate.names();
    offered.certified = Some(Certified {
        kid: certificate.kid(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
    });
    Ok(offered)
}
