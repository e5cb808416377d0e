"""Private keys and self-signed certificates of JWKs, for peers that read PEM (pip install -r requirements.txt).

One JSON object a line on standard input, {"key": private JWK}; one on standard output, {"key_pem", "certificate_pem",
"certificate_hex"}. The subject's common name is the kid, the subject key identifier its bytes.
"""

import base64
import datetime
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def number(jwk, name):
    return int.from_bytes(octets(jwk, name), "big")


def octets(jwk, name):
    return base64.urlsafe_b64decode(jwk[name] + "=" * (-len(jwk[name]) % 4))


def private(jwk):
    if jwk["kty"] == "RSA":
        public = rsa.RSAPublicNumbers(number(jwk, "e"), number(jwk, "n"))
        names = ("p", "q", "d", "dp", "dq", "qi")
        return rsa.RSAPrivateNumbers(*(number(jwk, name) for name in names), public).private_key()
    if jwk["crv"] == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(octets(jwk, "d"))
    return ec.derive_private_key(number(jwk, "d"), CURVES[jwk["crv"]])


def certificate(key, name):
    """For anything that CMS does: signs, agrees, gets keys."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys(("digital_signature", "key_encipherment", "key_agreement", "key_cert_sign"), True)
    usage |= dict.fromkeys(
        ("content_commitment", "data_encipherment", "crl_sign", "encipher_only", "decipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2024, 1, 1))
        .not_valid_after(datetime.datetime(2084, 1, 1))
        .add_extension(x509.SubjectKeyIdentifier(name.encode()), critical=False)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    hashed = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, hashed)


def main():
    for line in sys.stdin:
        jwk = json.loads(line)["key"]
        key = private(jwk)
        made = certificate(key, jwk["kid"])
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        answer = {
            "key_pem": pem.decode(),
            "certificate_pem": made.public_bytes(serialization.Encoding.PEM).decode(),
            "certificate_hex": made.public_bytes(serialization.Encoding.DER).hex(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
