"""Service orders (服务单): scores with documents, fees, damages, advances and what is paid at the end of a 项目周期.

card → tender → scheme → scorecard → faults → coefficient → damages → settling → clocks → pass_through → case → trial
→ statements → overview → posting → service

- `card` says what a score card is made of, `tender` holds the two of the tender as data
- `scheme` is every parameter as one signed value; what the tender leaves open (S1–S12) is a field with its default
- `scorecard` makes a score of events, exactly; `faults` makes events of measured faults and outages
- `coefficient` and `damages` look scores up; `settling` is the formula, rounded once
- `clocks` says when something is due, `pass_through` keeps the fees that are not the provider's
- `case` is one 项目周期 whole: the trial, the service and the audit compute it with the same function; `trial` reads it
  from a document
- `statements`: what buyer, provider and 监理 sign, and the case their facts make
- `overview` reads a contract whole from its facts, and what waits for whom
- `posting` makes the journal transactions of a settlement and of its payment
- `tables`, `store` and `service` hold rows, queries and the calls from outside

Decisions (P unless the tender says it). 扣完为止 is the class's. A settlement's only rounded term is 90 % of the
fees, so a half goes up whatever the damages. What was earned pays penalties carried over first, then uses up advances.
An invoice off by one fen starts no clock. Response and handling late cost nothing by themselves: the tender has no row
for them. Times that decide are when a fact was taken in: a waiver after the acceptance is refused, and a settlement
names every fact it rests on, so it can be computed again from them alone. P1 and P2 are stated by the settlement that
nets them; P3, what it pays, by an act of both once a bank has booked it whole. Accounts of the journal are kept apart
under `order/⟨contract⟩` and the 项目周期: the monthly cycle has them in no statement, obligation or netting.
"""
