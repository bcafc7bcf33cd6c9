"""What the office pages show and ask for, without HTTP: forms to documents and back, moves to forms, cases to words.

- `words`: Chinese names of kinds, moves, fields and values (`words.json`, shared with the browser's script).
- `fields`: a posted form as text values, read strictly; `widgets`: what a field looks like.
- `application_form`: the form of annex 1, section by section, to a document and back, with a message at each field.
- `moves`: which moves a person may make from here, the form of a move from the table's fields, and the act it makes.
- `acts`: the forms of what happens after the issue, from their tables; `later`: those of 转让, 变更, 续期, 注销.
- `spoken`: any document in words, line by line, and what changed since another; `refusals`: what was refused, as a
  clerk is told it; `typed`: a form read field by field.
- `deals`: a negotiation as one party sees it; `talk_form`: the forms of its messages, of them `price_form` and
  `terms_form` with `plan_form`, the steps of a division; `plan_words`: a division in sentences; `agreement_acts`: an
  agreement and the acts that can be done.
- `statements`: a party's statement in words; `cycles`: a period as the operator sees it, `limits`: what may be netted,
  `covers`: who stands for whom.
- `service_orders`: contracts of service orders as a visitor sees them, `order_words`: their terms and settlements in
  sentences; `order_forms`: the forms of what is stated about them, of them `score_forms` those of scores.
- `listing_form`: the groups of product metadata, to a listing and back; `listing_drafts`: what is not submitted yet.
- `pricing_form`: what a price asks, to a request and back; `pricing_cases`: prices being worked out (operational);
  `pricing`: a case begun, priced and drawn; `pricing_compare`: quotes side by side, deal prices beside them.
- `todo`: the work list in words; `clocks`: what is due when; `history`: what has happened, by whom;
  `papers`: what was handed in and where to open it; `access`: who may look.
- `tables`: drafts and objections of the public (operational); `store`: questions asked of them.
"""
