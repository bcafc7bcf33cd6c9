"""Pages for anybody with a browser: rendered here, without a request to anywhere else.

- `public`: home, check, register, log, verifiers: no scripts; `checking`: what a check may show; `upload`: its form.
- `market`: the search of products on offer, and the page of one.
- `notices`: what is published, and objections to it; `objecting`: objections to a registration without a key.
- `office`: what every office page needs: a visitor, a posted form, the one script.
- `entry`: login, keys, admission; `signing`: the signature desk; `applicant`: applications and drafts.
- `case`: one case and the form of each move; `staff`: work list, admissions, objections to verify, colleagues.
- `certificates`: a certificate and its later registrations; `afterlife`: remarks, late objections, endings.
- `deals`: a party's negotiations, the form of each message; `agreements`: its agreements, the form of each act.
- `listings`: a seller's listings: drafting, pre-check, submission, moves.
- `guard`: headers and a limit per address; `render`: templates to pages.
"""
