"""What can be proven. Bytes in, receipts out; no business word.

fact → canonical bytes → twin digest → entry → log → head → anchor → chain receipt → bundle → verify

* `errors` one family; `canonical` one byte form; `digest` SHA-256 and SM3; `reading` a body into its dataclass.
* `merkle` RFC 9162 trees, both hashes; `tiles` how they are cut for storage and for readers.
* `sm` the SM2/SM3 door; `eip712` the secp256k1 side; `signing` who stated.
* `facts` statement, signature, fact, parts; `tables` and `store` the append-only fact table; `bulk` many rows at once.
* `outbox` the three states of an entry; `log` integrates, seals; `checkpoint` the signed head; `witness` checks it.
* `chain` the gateway, `web3_chain` its only driver, `sending` one transaction into one block; `anchoring` writes
  heads and facts to the chain once; `leader` who may, `incidents` what went wrong.
* `completeness` a sparse Merkle map of all subjects; `subject_map` keeps and states it; `answer` all facts of one.
* `disclosure` content as salted fields of which one may be shown without the others.
* `bundle` one proof file; `trust` whom its reader believes; `signers` whose keys count; `verify` the numbered list.
* `archive` facts out and in; `erasure` a text gone for a stated ground; `rebuild` views as folds; `audit` everything
  recomputed from the evidence.

Decisions taken here: the salt of a fact stands inside its canonical bytes, so erasing the bytes erases it (D2, D4);
a subject's facts form a numbered chain linked by statement digests (D5, D22); the database rows of `entry`, `tile` and
`head` hold nothing that cannot be recomputed from facts and checked against the chain (D3).
"""
