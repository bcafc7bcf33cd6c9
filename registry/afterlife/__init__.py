"""What happens to a certificate after it was issued: remarks, objections, what the agency decides. No money here.

instrument → remark → blocking → dispute → grounds → matter

- `instrument`: the paper of an authority, a pledgee or the parties that something rests on.
- `remark`: 备注 and encumbrances (guide art. 23): recorded, extended, lifted, ended; moves E-01…E-04 as a table.
- `blocking`: which remark, and an open objection, stops which operation, as a table; what use may go on.
- `dispute`: objections after registration (art. 29): values and clocks C11, C12; `dispute_conditions`: the guards of
  its moves; `dispute_moves`: the table of moves O-01…O-11, deciding, folding.
- `grounds`: what a decision of the agency itself rests on: correction B-04, cancellation Z-03, Z-04, Z-05.
- `matter`: what waits for whom, until when; `todo`: the same as lines of the one work list.
- `tables`, `store`, `service`: views of the facts, queries, and the calls from outside.
"""
