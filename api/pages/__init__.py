"""Pages for anybody with a browser: rendered here, without a request to anywhere else.

- `public`: home, check, register, log, verifiers: no scripts; `checking`: what a check may show; `upload`: its form.
- `market`: the search of products on offer, the page of one, and its service level of a month.
- `delivery`: deliveries for both their sides, `delivering` their forms; `dispute`: complaints for both theirs.
- `notices`: what is published, and objections to it; `objecting`: objections to a registration without a key.
- `office`: what every office page needs: a visitor, a posted form, the one script.
- `entry`: login, keys, admission; `signing`: the signature desk; `applicant`: applications and drafts.
- `case`: one case and the form of each move; `staff`: work list, admissions, objections to verify, colleagues.
- `certificates`: a certificate and its later registrations; `afterlife`: remarks, late objections, endings.
- `guard`: headers and a limit per address; `render`: templates to pages.
"""
