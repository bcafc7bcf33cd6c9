"""Pages for anybody with a browser: rendered here, without a request to anywhere else.

- `public`: home, check, register, log, verifiers: no scripts; `checking`: what a check may show; `upload`: its form.
- `market`: the search of products on offer, the page of one, and its service level of a month.
- `disclosure`: 年度披露, what everybody is told of a year.
- `delivery`: deliveries for both their sides, `delivering` their forms; `dispute`: complaints for both theirs.
- `broker`: mandates for brokers.
- `profile`: 数商, and the page of one.
- `recommending`: recommendations with their reasons; `dealing`: the forms of the market.
- `gratis`: applications for free products.
- `demand`: the public demands, one of them, and a party's own.
- `notices`: what is published, and objections to it; `objecting`: objections to a registration without a key.
- `office`: what every office page needs: a visitor, a posted form, the one script.
- `entry`: login, keys, admission; `signing`: the signature desk; `applicant`: applications and drafts.
- `case`: one case and the form of each move; `staff`: work list, admissions, objections to verify, colleagues.
- `certificates`: a certificate and its later registrations; `afterlife`: remarks, late objections, endings.
- `deals`: a party's negotiations, the form of each message; `agreements`: its agreements, the form of each act.
- `credit`: a party's own grade, each input with its evidence, and how to object.
- `statements`: a party's statements, a line's evidence, confirming and disputing; `cycles`: the operator's periods;
  `covers`: guarantees of what net payers bring.
- `service_orders`: contracts of service orders and one of them whole; `ordering`: the forms of what is
  stated about them.
- `listings`: a seller's listings: drafting, pre-check, submission, moves.
- `pricing`: the pricing workbench: a case from a file or evidence, its price, its quote; quotes side by side.
- `guard`: headers and a limit per address; `render`: templates to pages.
"""
