"""pycose as a peer: opens and seals shapes S and G of profile paperknife-1.

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
What does not open or cannot be sealed:  {"error": text}.

Limits of pycose 1.1.0, answered as {"error", "limit": true} so that a test can draw another key: it drops leading zero
bytes of a nonce (one base IV in 256 begins with one), and it knows neither -9 and -19 nor ChaCha20-Poly1305.
"""

import hashlib
import hmac
import json
import sys

import cbor2
from pycose import headers
from pycose.algorithms import CoseAlgorithm, Es256
from pycose.keys import EC2Key, SymmetricKey
from pycose.keys.curves import P256
from pycose.messages import CoseMessage, Enc0Message, Sign1Message

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


def answer(line):
    request = {}
    try:
        request = json.loads(line)
        done = {"open": open_message, "seal": seal_message}[request["do"]](request)
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
