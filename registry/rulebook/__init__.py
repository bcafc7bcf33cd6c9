"""What holds for everybody and changes by the year: the working days and the rule sets, each stated by two persons.

year_table → table_file → rule_set

- `year_table`: the working days of one year as a body, its checks, and the calendar it leads to.
- `table_file`: such a table read from CSV, XLSX or JSON.
- `rule_set`: which version of a rule set the agency works by, as a digest.
- `tables`, `store`, `service`: views of the facts, the calendar in force, and the calls from outside.
"""
