"""A second opinion on webhooks: one JSON line in, one out, by the verifiers of Standard Webhooks and of Svix."""

import json
import sys

import standardwebhooks
import svix


def accepts(verifier, question):
    try:
        verifier.verify(question["body"], question["headers"])
        return True
    except Exception:  # each library has its own
        return False


for line in sys.stdin:
    question = json.loads(line)
    verifiers = [standardwebhooks.Webhook(question["secret"]), svix.Webhook(question["secret"])]
    print(json.dumps([accepts(verifier, question) for verifier in verifiers]), flush=True)
