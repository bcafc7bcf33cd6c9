"""The signature desk: statements that wait for the signatures of several persons, each made in the signer's browser.

A statement is drafted once, byte by byte; whoever has to sign sees those very bytes in words and signs them. With the
last signature the service that takes in its kind is called in the same transaction: either the fact is stored, or the
refusal is noted and nothing else is. An act of an agreement takes two signatures in each place, SM2 and EIP-712.
Drafts and waiting signatures are operational, never facts.

- `waiting`: what waits, who has to sign, what has become of it; values only.
- `tables`: the two operational tables; `store`: questions asked of them.
- `dealing`: messages of negotiations, and the act they agree on, which waits here until everybody has signed it.
- `takers`: which service takes in which kind; `service`: drafting, signing, withdrawing.
"""
