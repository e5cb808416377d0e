"""What both peers have in common when they open and seal any shape of COSE.

One request an object; byte strings as lower-case hexadecimal in members named ..._hex; keys are JWKs.

open-cose:  {"do": "open-cose", "sealed_hex", "aad_hex", "structure": "Encrypt0" | "Encrypt" | "Mac0" | "Mac" | "Sign1" | "Sign",
             "algs": [COSE number of the content algorithm, or of each signer],
             "keys": [the receiver's key, or each signer's public key],
             "management": COSE number of the recipient's algorithm or null, "sender": public JWK of ECDH-SS or null,
             "within": bool         the content of a MAC is an Encrypt0 by the second of "algs", under the second of "keys"
             "countersigner": {"alg", "key"} or null}
        ->  {"plaintext_hex"}
seal-cose:  the same without "sealed_hex", with "content_hex"; the receiver's key is public, the sender's and the signers'
            are private  ->  {"sealed_hex"}
What does not open or cannot be sealed:  {"error": text}.
"""

import base64

KEY_LEN = {
    **{number: 16 for number in (1, 10, 12, 30, 32, 14, 25, -3, -65534, -65531)},
    **{number: 24 for number in (2, -4, -65533, -65530)},
    **{number: 32 for number in (3, 11, 13, 24, 31, 33, 4, 5, 15, 26, -5, -65532, -65529)},
    6: 48,
    7: 64,
}
NONCE_LEN = {
    **{number: 12 for number in (1, 2, 3, 24)},
    **{number: 13 for number in (10, 11, 30, 31)},
    **{number: 7 for number in (12, 13, 32, 33)},
    **{number: 16 for number in range(-65534, -65528)},
}
# the key wrap within ECDH-..+A...KW, whose number stands in the COSE_KDF_Context
WRAP = {-29: -3, -30: -4, -31: -5, -32: -3, -33: -4, -34: -5}
DIRECT_AGREEMENT = (-25, -26, -27, -28)
# the same parties would derive the same key each time, but for a nonce (RFC 9053 §6.1.2)
NEEDS_NONCE = (-10, -11, -12, -13, -27, -28)
PARTY_U_NONCE = -22
CURVES = {"P-256": 1, "P-384": 2, "P-521": 3, "X25519": 4, "Ed25519": 6, "Ed448": 7, "secp256k1": 8}


def member(jwk, name):
    """A member's bytes, or none."""
    text = jwk.get(name)
    return None if text is None else base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def kid(jwk):
    return jwk["kid"].encode()
