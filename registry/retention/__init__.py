"""Twenty years and longer: what is kept until when, which proofs are renewed when, who may delete (guide art. 10(二)).

keeping → service

- `keeping`: the policy as data, the end of keeping of a certificate's papers, the plan of renewals, the acts.
- `tables`, `store`: renewals and approved deletions folded from facts; what is due.
- `service`: renews the proof of an old head, takes approvals in.

Digests and signatures age, facts do not. A renewal hashes every fact under an old head again with a newer algorithm and
states the result as a new fact, which new heads, witnesses and the chain then date (the idea of RFC 4998, hash-tree
renewal); the old proofs stay as they are. No cryptography of our own.
"""
