"""The certificate as a W3C verifiable credential, made from the same register entry as the paper (registration.md 5.5).

did → proof → vc → status_list → service

- `did`: the agency's did:web, its DID document, multibase.
- `proof`: Data Integrity with the suite eddsa-jcs-2022, and the SM2 signature beside it.
- `vc`: the credential and our JSON-LD context.
- `status_list`: which status sets which bit; the bit string of the recommendation.
- `service`: the two status lists as credentials, from the register, at an instant.
"""
