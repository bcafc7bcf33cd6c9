"""Access to the files (art. 30): who may look at or copy what the agency keeps, for which purpose, and who did.

access → copying → tables → store → service

- `access`: the request with its purpose, the decision on it, and the record of each paper handed out.
- `copying`: the mark that every copy carries.
- `tables`, `store`, `service`: requests and the log as views; asking, deciding, handing out.

An applicant may see their own file; anybody else waits for a decision of the agency. Every paper handed out is a fact
of its own (registration.md 6.2, A17): the reader, the identity basis, the purpose, the paper by its digest, the mark.
"""
