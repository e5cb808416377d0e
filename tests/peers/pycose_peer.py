"""pycose as a peer: opens and seals shapes S and G of profile paperknife-1, and any shape of COSE that it has.

An independent implementation (pip install -r requirements.txt) for tests to talk to: one JSON object a line on standard input,
one JSON object a line on standard output, in the same order; it ends with its input. Members named ..._hex are lower-case
hexadecimal bytes. Each answer echoes the request's "id" where there is one. The binding is built here, not taken over, and
so are the derived keys: HKDF-SHA-256 out of the standard library.

open:  {"do": "open", "sealed_hex",
        "audience", "device", "path": text or null,
        "master_hex"                        derived by the profile; or "key_hex" and "base_iv_hex", used as they are
        "verify": {"x_hex", "y_hex"}}       shape G alone: the device's public P-256 key
   ->  {"plaintext_hex", "shape": "S" | "G", "alg", "kid_hex", "kid_context_hex": hex or null, "sequence",
        "content_format": number or null, "issued_at": number or null}      the last two of the innermost layer
seal:  {"do": "seal", "shape": "S" | "G", "content_hex", "alg": COSE number (10, 30, 1 or 3), "kid_hex", "sequence",
        "audience", "device", "path", and the symmetric key as above,
        "kid_context_hex"?, "content_format"?, "issued_at"?,
        "sign": {"kid_hex", "d_hex", "x_hex", "y_hex"}}                     shape G alone: a P-256 key pair; ES256 (-7)
   ->  {"sealed_hex"}
open-cose, seal-cose: see cose_shapes.py.
What does not open or cannot be sealed:  {"error": text}.

Limits of pycose 1.1.0, answered as {"error", "limit": true} so that a test can draw another key: it drops leading zero
bytes of a nonce (one base IV in 256 begins with one), and it knows neither -9 and -19 nor ChaCha20-Poly1305.
"""

import hashlib
import hmac
import json
import os
import sys

import cbor2
from pycose import headers
from pycose.algorithms import CoseAlgorithm, Es256
from pycose.keys import EC2Key, OKPKey, RSAKey, SymmetricKey
from pycose.keys.curves import P256, P384, P521, SECP256K1, X25519, Ed25519, Ed448
from pycose.messages import (
    CoseMessage,
    Enc0Message,
    EncMessage,
    Mac0Message,
    MacMessage,
    Sign1Message,
    SignMessage,
)
from pycose.messages.recipient import DirectEncryption, DirectKeyAgreement, KeyAgreementWithKeyWrap, KeyWrap
from pycose.messages.signer import CoseSignature

from cose_shapes import DIRECT_AGREEMENT, NEEDS_NONCE, NONCE_LEN, WRAP, member
from cose_shapes import kid as name_of

PROFILE = "paperknife-1"
CLAIMS, IAT = 15, 6
COSE_SIGN1 = 18
# COSE number: bytes of key and nonce
LENGTHS = {10: (16, 13), 30: (16, 13), 1: (16, 12), 3: (32, 12), 24: (32, 12)}


class Limit(Exception):
    """pycose cannot do this; nothing is wrong with the message."""


def hkdf(secret, info, length):
    """HKDF-SHA-256 without salt (RFC 5869); at most 32 bytes are ever asked for, so one round does."""
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()[:length]


def symmetric(request, kid, kid_context, alg):
    """The content key with its base IV."""
    key_len, nonce_len = LENGTHS[alg]
    if "key_hex" in request:
        key, base_iv = bytes.fromhex(request["key_hex"]), bytes.fromhex(request["base_iv_hex"])
    else:
        master = bytes.fromhex(request["master_hex"])
        key, base_iv = (
            hkdf(master, cbor2.dumps([PROFILE, kid, kid_context, alg, purpose, length]), length)
            for purpose, length in (("Key", key_len), ("IV", nonce_len))
        )
    if base_iv[0] == 0:
        raise Limit("pycose drops leading zero bytes of the nonce")
    return SymmetricKey(k=key, optional_params={"BASE_IV": base_iv})


def binding(request):
    return cbor2.dumps([PROFILE, request["audience"], request["device"], request["path"]])


def known(number):
    try:
        return CoseAlgorithm.from_id(number)
    except Exception:
        raise Limit(f"pycose does not know algorithm {number}") from None


def header(message, number):
    """A protected parameter by its number, as pycose decoded it or as it found it."""
    found = {getattr(name, "identifier", name): value for name, value in message.phdr.items()}
    return found.get(number)


def open_message(request):
    sealed = bytes.fromhex(request["sealed_hex"])
    protected = cbor2.loads(cbor2.loads(sealed).value[0])
    known(protected[1])
    outer = CoseMessage.decode(sealed)
    if not isinstance(outer, Enc0Message) or outer.uhdr:
        raise ValueError("not a COSE_Encrypt0 with empty unprotected headers")
    kid, kid_context = protected[4], protected.get(10)
    outer.key = symmetric(request, kid, kid_context, protected[1])
    outer.external_aad = binding(request)
    content, inner = outer.decrypt(), outer
    if protected.get(3) == COSE_SIGN1:
        inner = verified(content, request)
        if (header(inner, 6), header(inner, 10)) != (protected[6], kid_context):
            raise ValueError("inner and outer sequence differ")
        content = inner.payload
    return {
        "plaintext_hex": content.hex(),
        "shape": "S" if inner is outer else "G",
        "alg": protected[1],
        "kid_hex": kid.hex(),
        "kid_context_hex": kid_context.hex() if kid_context is not None else None,
        "sequence": int.from_bytes(protected[6], "big"),
        "content_format": header(inner, 3),
        "issued_at": (header(inner, CLAIMS) or {}).get(IAT),
    }


def verified(signed, request):
    """The signed layer of shape G, once its signature holds."""
    known(cbor2.loads(cbor2.loads(signed).value[0])[1])
    inner = CoseMessage.decode(signed)
    if not isinstance(inner, Sign1Message) or inner.uhdr:
        raise ValueError("not a COSE_Sign1 with empty unprotected headers")
    public = request["verify"]
    inner.key = EC2Key(crv=P256, x=bytes.fromhex(public["x_hex"]), y=bytes.fromhex(public["y_hex"]))
    inner.external_aad = binding(request)
    if not inner.verify_signature():
        raise ValueError("signature does not hold")
    return inner


def seal_message(request):
    content = bytes.fromhex(request["content_hex"])
    if request["shape"] == "G":
        content = signed(request, content)
        inner = {headers.ContentType: COSE_SIGN1}
    else:
        inner = innermost(request)
    kid, kid_context = bytes.fromhex(request["kid_hex"]), context(request)
    protected = ordered({headers.Algorithm: known(request["alg"]), headers.KID: kid, **sequence(request), **inner})
    message = Enc0Message(phdr=protected, uhdr={}, payload=content, external_aad=binding(request))
    message.key = symmetric(request, kid, kid_context, request["alg"])
    return {"sealed_hex": message.encode().hex()}


def signed(request, content):
    """The inner layer of shape G."""
    pair = request["sign"]
    kid = bytes.fromhex(pair["kid_hex"])
    protected = ordered({headers.Algorithm: Es256, headers.KID: kid, **sequence(request), **innermost(request)})
    message = Sign1Message(phdr=protected, uhdr={}, payload=content, external_aad=binding(request))
    x, y, d = (bytes.fromhex(pair[name]) for name in ("x_hex", "y_hex", "d_hex"))
    message.key = EC2Key(crv=P256, x=x, y=y, d=d)
    return message.encode()


def context(request):
    text = request.get("kid_context_hex")
    return None if text is None else bytes.fromhex(text)


def sequence(request):
    """Partial IV in its shortest form, and the kid context where there is one."""
    number = request["sequence"]
    found = {headers.PartialIV: number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")}
    if context(request) is not None:
        found[headers.KIDContext] = context(request)
    return found


def innermost(request):
    """What the layer next to the content says of it."""
    found = {}
    if request.get("content_format") is not None:
        found[headers.ContentType] = request["content_format"]
    if request.get("issued_at") is not None:
        found[CLAIMS] = {IAT: request["issued_at"]}
    return found


def ordered(protected):
    """pycose writes a map in the order given: labels ascending."""
    return dict(sorted(protected.items(), key=lambda member: getattr(member[0], "identifier", member[0])))


CURVES = {
    "P-256": P256,
    "P-384": P384,
    "P-521": P521,
    "secp256k1": SECP256K1,
    "X25519": X25519,
    "Ed25519": Ed25519,
    "Ed448": Ed448,
}
SINGLE = {"Encrypt0": Enc0Message, "Mac0": Mac0Message, "Sign1": Sign1Message}
STRUCTURES = {**SINGLE, "Encrypt": EncMessage, "Mac": MacMessage, "Sign": SignMessage}


def cose_key(jwk, private=True):
    """The JWK as pycose's key."""
    secret = member(jwk, "d") if private else None
    if jwk["kty"] == "oct":
        return SymmetricKey(k=member(jwk, "k"))
    if jwk["kty"] == "EC":
        known = {} if secret is None else {"d": secret}
        return EC2Key(crv=CURVES[jwk["crv"]], x=member(jwk, "x"), y=member(jwk, "y"), **known)
    if jwk["kty"] == "OKP":
        known = {} if secret is None else {"d": secret}
        return OKPKey(crv=CURVES[jwk["crv"]], x=member(jwk, "x"), **known)
    if jwk["kty"] == "RSA":
        names = {"d": "d", "p": "p", "q": "q", "dp": "dp", "dq": "dq", "qinv": "qi"} if secret else {}
        known = {ours: member(jwk, theirs) for ours, theirs in names.items()}
        return RSAKey(n=member(jwk, "n"), e=member(jwk, "e"), **known)
    raise Limit(f"pycose has no keys of type {jwk['kty']}")


def check(request):
    """Says what pycose lacks before it is asked."""
    for number in [*request["algs"], *([request["management"]] if request["management"] else [])]:
        known(number)
    if request["countersigner"]:
        raise Limit("pycose makes and checks no countersignatures")


def open_cose(request):
    check(request)
    aad, keys = bytes.fromhex(request["aad_hex"]), request["keys"]
    message = CoseMessage.decode(bytes.fromhex(request["sealed_hex"]))
    if not isinstance(message, STRUCTURES[request["structure"]]):
        raise ValueError(f"not a COSE_{request['structure']}")
    if isinstance(message, SignMessage):
        holds = [verified_layer(signer, key, aad) for signer, key in zip(message.signers, keys, strict=True)]
        return checked(all(holds), message.payload)
    message.external_aad = aad
    if isinstance(message, Sign1Message):
        message.key = cose_key(keys[0])
        return checked(message.verify_signature(), message.payload)
    if request["management"] in (None, -6):
        message.key = cose_key(keys[0])
    else:
        recipient = message.recipients[0]
        recipient.key = cose_key(keys[0])
        message.key = SymmetricKey(k=recipient.compute_cek(known(request["algs"][0]), "decrypt").k)
    if isinstance(message, (Mac0Message, MacMessage)):
        return checked(message.verify_tag(), message.payload)
    if isinstance(message, EncMessage):
        return {"plaintext_hex": message.decrypt(message.recipients[0]).hex()}
    return {"plaintext_hex": message.decrypt().hex()}


def verified_layer(signer, key, aad):
    signer.key, signer.external_aad = cose_key(key), aad
    return signer.verify_signature()


def checked(holds, payload):
    if not holds:
        raise ValueError("does not hold")
    return {"plaintext_hex": payload.hex()}


def seal_cose(request):
    check(request)
    aad, content = bytes.fromhex(request["aad_hex"]), bytes.fromhex(request["content_hex"])
    algs, keys = request["algs"], request["keys"]
    if request["structure"] == "Sign":
        message = SignMessage(payload=content)
        message.signers = [signature_layer(alg, key, aad) for alg, key in zip(algs, keys, strict=True)]
        return {"sealed_hex": message.encode().hex()}
    unprotected = {headers.KID: name_of(keys[0])} if request["management"] is None else {}
    if algs[0] in NONCE_LEN:
        unprotected[headers.IV] = os.urandom(NONCE_LEN[algs[0]])
    protected = {headers.Algorithm: known(algs[0])}
    structure = STRUCTURES[request["structure"]]
    message = structure(phdr=protected, uhdr=unprotected, payload=content, external_aad=aad)
    if request["management"] is not None:
        message.recipients = [recipient_of(request)]
    if request["management"] in (None, -6):
        message.key = cose_key(keys[0])
    return {"sealed_hex": message.encode().hex()}


def signature_layer(alg, key, aad):
    protected, unprotected = {headers.Algorithm: known(alg)}, {headers.KID: name_of(key)}
    return CoseSignature(phdr=protected, uhdr=unprotected, external_aad=aad, key=cose_key(key))


def recipient_of(request):
    """The recipient; with a key wrap, pycose draws the content key."""
    management, jwk = request["management"], request["keys"][0]
    alg = {headers.Algorithm: known(management)}
    named = {headers.KID: name_of(jwk)}
    if management == -6:
        return DirectEncryption(uhdr={**alg, **named})
    if management in (-3, -4, -5, -40, -41, -42):
        return KeyWrap(uhdr={**alg, **named}, key=cose_key(jwk, private=False))
    if management in NEEDS_NONCE:
        named[headers.PartyUNonce] = os.urandom(16)
    if management not in DIRECT_AGREEMENT and management not in WRAP:
        raise Limit(f"pycose derives no keys by {management}")
    kind = DirectKeyAgreement if management in DIRECT_AGREEMENT else KeyAgreementWithKeyWrap
    recipient = kind(phdr=alg, uhdr=named)
    receiver = cose_key(jwk, private=False)
    recipient.local_attrs = {headers.StaticKey: receiver}
    if not request["sender"]:
        # pycose would make it too late for a direct agreement
        recipient.key = EC2Key.generate_key(receiver.crv)
        recipient.uhdr_update({headers.EphemeralKey: dict(EC2Key(crv=receiver.crv, x=recipient.key.x, y=recipient.key.y))})
    else:
        recipient.key = cose_key(request["sender"])
        recipient.uhdr_update({headers.StaticKey: dict(cose_key(request["sender"], private=False))})
    return recipient


def answer(line):
    request = {}
    try:
        request = json.loads(line)
        tasks = {"open": open_message, "seal": seal_message, "open-cose": open_cose, "seal-cose": seal_cose}
        done = tasks[request["do"]](request)
    except Limit as limit:
        done = {"error": str(limit), "limit": True}
    except Exception as fault:  # whatever pycose makes of a bad message is an answer, not an end
        done = {"error": f"{type(fault).__name__}: {fault}"}
    return {"id": request["id"], **done} if "id" in request else done


def main():
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
