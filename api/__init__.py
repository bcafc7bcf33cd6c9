"""Doors: translate, authorise, call one service, render. Nothing here computes.

settings → bootstrap → app → deps → auth → bodies → routes → errors; beside it cli, jobs and the connector

- `settings` is the only reader of the environment; `keyfiles` the keys as files.
- `bootstrap` is the only constructor; `schema` lists every table.
- `app` is the HTTP application; `deps` gives a route its session and commits before the answer (D1).
- `group` commits for many requests at once: single usage records (D11).
- `auth`: whose API key; `bodies`: signed statements, read strictly; `errors`: domain error to status.
- `routes`: one module per package behind them; `views`: results as JSON.
- `pages`: what anybody with a browser may see; no scripts, no request to anywhere else.
- `papers`: certificate files; `proofs`: what a bundle must carry; `trust_file`: whom a stranger may believe.
- `verifiers`: the stand-alone verifiers as files; `court`: a bundle with all that a court asks about it.
- `jobs`: timers, deposits, integration, heads, witnesses, anchoring, each step its own commit; `worker`: who does it
  when, one at a time; `status`: how far entries have come and what needs a person.
- `authority`: the door to the deposit authority; `checks`: the areas of `shuqing audit`; `erasing`: texts gone.
- `cli`: the `shuqing` command, with `cli_likeness`, `cli_national`, `cli_agency`, `cli_cards`,
  `cli_retention`.
- `said`: what it says when something is wrong; `client`: a small client for signed statements.
- `handing`: a register handed over and received as a parcel; `disclosing`: the agency's reports and disclosure pack.
- `connector`: the process in front of a data API that meters every use and signs for it (D11, D31).
"""
