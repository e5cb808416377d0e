"""jwcrypto as a peer: opens and seals JWE and JWS (pip install -r requirements.txt).

One JSON object a line on standard input, one on standard output, in the same order; content as lower-case hexadecimal, keys
as JWKs, private where they open or sign.

open-jwe, open-jws:  {"do", "sealed", "key", "algs": [names], "payload_hex": of a detached payload or null}
                 ->  {"plaintext_hex"}
seal-jwe, seal-jws:  {"do", "content_hex", "key", "header": protected, "form": "compact" | "flattened" | "general",
                      "own": header of the recipient or signer, or null}
                 ->  {"sealed"}
What does not open or cannot be sealed:  {"error": text}.
"""

import json
import sys

from jwcrypto import jwe, jwk, jws


def key(question):
    return jwk.JWK(**question["key"])


def open_jwe(question):
    message = jwe.JWE(algs=question["algs"])
    message.deserialize(question["sealed"], key=key(question))
    return {"plaintext_hex": message.payload.hex()}


def open_jws(question):
    message = jws.JWS()
    message.allowed_algs = question["algs"]
    message.deserialize(question["sealed"])
    payload = question.get("payload_hex")
    message.verify(key(question), detached_payload=None if payload is None else bytes.fromhex(payload))
    content = bytes.fromhex(payload) if payload is not None else message.payload
    return {"plaintext_hex": content.hex() if isinstance(content, bytes) else content.encode().hex()}


def written(message, question):
    """jwcrypto writes one recipient or signer flattened; the general form is the same in a list."""
    if question["form"] == "compact":
        return message.serialize(compact=True)
    text = message.serialize()
    if question["form"] == "flattened":
        return text
    flat = json.loads(text)
    names = ("header", "encrypted_key") if "ciphertext" in flat else ("header", "protected", "signature")
    one = {name: flat.pop(name) for name in names if name in flat}
    return json.dumps(flat | {"recipients" if "ciphertext" in flat else "signatures": [one]})


def seal_jwe(question):
    algs = [question["header"]["alg"], question["header"]["enc"]]
    message = jwe.JWE(bytes.fromhex(question["content_hex"]), protected=json.dumps(question["header"]), algs=algs)
    own = question.get("own")
    message.add_recipient(key(question), header=json.dumps(own) if own else None)
    return {"sealed": written(message, question)}


def seal_jws(question):
    message = jws.JWS(bytes.fromhex(question["content_hex"]))
    message.allowed_algs = [question["header"]["alg"]]
    own = question.get("own")
    message.add_signature(
        key(question), protected=json.dumps(question["header"]), header=json.dumps(own) if own else None
    )
    return {"sealed": written(message, question)}


ASKED = {"open-jwe": open_jwe, "open-jws": open_jws, "seal-jwe": seal_jwe, "seal-jws": seal_jws}


def main():
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = ASKED[question["do"]](question)
        except Exception as error:  # whatever a library throws at what it cannot do
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
