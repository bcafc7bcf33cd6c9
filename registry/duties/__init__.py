"""What an agency owes for being one (guide art. 7 to 12, 38; registration.md 8): profile, changes, disclosure,
complaints, reports, breaches. Money stays out: of a fee table only its digest and file are known here (decisions D26).

office → complaint → figures → report → service

- `office`: the conditions of art. 7 with their proofs, the listing, change reports with C13 and C14, disclosures.
- `complaint`: what the public says, to the agency or by it to the province.
- `figures`: the yearly report counted from facts alone; `report`: as JSON, workbook and paper.
- `tables`, `store`: views of the facts, counting, who decided what about a certificate.
- `service`: takes acts in; breaches found by the calendar.
"""
