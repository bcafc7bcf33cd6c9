"""Certificates that others issued: taken in as a transcript, 核验 by hand or machine, linked, and never made ours.

paper → check → link → tables → store → service

- `paper`: the kinds of paper that are never converted into each other, the transcript, and what makes it junk.
- `check`: the table of states, and when an answer must be asked for again.
- `link`: an application names an earlier registration of another kind, and what agrees (art. 41).
- `tables`, `store`, `service`: transcripts, checks and links as facts; what the reviewer sees; what others may ask.

There is no function here that issues, extends or merges: a foreign certificate has no register entry, no code and no
validity of ours. It is named by (issuer, kind of paper, number, version), never by its number alone (registration.md
7.3).
"""
