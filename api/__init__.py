"""Doors: translate, authorise, call one service, render. Nothing here computes.

settings → bootstrap → app → deps → auth → bodies → routes → errors; beside it cli, jobs and the connector

- `settings` is the only reader of the environment; `keyfiles` the keys as files.
- `bootstrap` is the only constructor; `schema` lists every table.
- `app` is the HTTP application; `deps` gives a route its session and commits before the answer (D1).
- `group` commits for many requests at once: single usage records (D11).
- `apikey`: API keys; `auth`: whose one a request came with; `sessions`: who is logged in with a browser, by the same
  keys; `hardware`: a key that never leaves its token (PKCS #11);
  `bodies`: signed statements, read strictly; `errors`: domain error to status.
- `dsp`: documents of the Dataspace Protocol, made from what the market stores; `calling`: its peers, called back.
- `routes`: one module per package behind them; `views`: results as JSON.
- `uploads`: a file streamed in; `sealed`: what people hand in, as sealed files of the home folder; `importing`: runs
  imports beside the requests; `bulk`: signs all good drafts of a holder.
- `pages`: what anybody with a browser may see, and the office; no request to anywhere else.
- `office`: what the office pages show and ask for; `desk`: statements that wait for several signatures.
- `asking`: what is asked of register and market, read from an address.
- `papers`: certificate files; `sealing`: the seal's key file and the door to the time-stamp authority.
- `proofs`: what a bundle must carry; `trust_file`: whom a stranger may believe.
- `verifiers`: the stand-alone verifiers as files; `court`: a bundle with all that a court asks about it;
  `price_paper`: a price report as a PDF; `statement_paper`: a 清分账单 as JSON and PDF.
- `jobs`: timers, deposits, integration, heads, witnesses, anchoring, each step its own commit; `worker`: who does it
  when, one at a time; `status`: how far entries have come and what needs a person.
- `authority`: the door to the deposit authority; `checks`: the areas of `shuqing audit`; `erasing`: texts gone.
- `handing`: a register handed over and received as a parcel; `disclosing`: the agency's reports and disclosure pack.
- `__main__`: the `shuqing` command; `cli`: its commands for an installation; its parts `cli_rules` (calendars, rule
  sets, pre-check), `cli_intake` (papers, drafts, import), `cli_likeness` (similar data), `cli_foreign` (certificates of
  others), `cli_seal`, `cli_national`, `cli_agency` (duties, exit), `cli_cards`, `cli_price` (reports of what a data
  element is worth), `cli_deals` (negotiating and signing
  with a platform elsewhere), `cli_connector` (one's own connector), `cli_delivery`, `cli_dispute`,
  `cli_settle` (inputs of a period), `cli_nontax` (non-tax revenue), `cli_report`, `cli_service`, `cli_market`,
  `cli_element`, `cli_retention`, `cli_journal`; `command`: what they share.
- `client`: a small client for signed statements.
- `connector`: the process that meters every use and signs for it, in front of a data API or of a consumer's own calls
  (D11, D31).
"""
