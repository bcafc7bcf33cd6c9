"""What settlement says of parties and products, and how anybody computes it again: credit, activity, contribution, who
and what is effective, the assessment report and the view of a supervisor.

definitions → material → credit → activity → assessment → disclosure → objection → tables → store → service

- `definitions`: the 统一口径清单 as data; a figure names number and version, and a version is never edited.
- `material`: facts up to an as-of second become deals, payments, disputes, deliveries, readings, listings.
- `credit`: inputs with the facts they rest on, score, grade.
- `activity`: 活跃度, 贡献度, 有效数商, 有效数据产品, 销售情况 over a window.
- `assessment`: 考核统计报表 and the supervisor's totals, which tell of fewer than ten parties nothing.
- `disclosure`: 年度披露, what everybody is told of a year, once, under the same rule of ten.
- `trades`: 交易记录报告 of one account period; `workbook`: the reports as XLSX.
- `objection`: a published figure, who is related to whom, an objection and its answer, as signed statements.
- `tables`, `store`, `service`: views, the facts asked for, and the calls from outside.

Decisions taken here (P unless exchange.md §8.3 or clearing §11 says it). As of: a figure is computed from the facts
taken in up to a second that lies a minute back, so every one of them is stored and none comes after it. The version of
a definition is the one in force at the end of the window, of credit at the as-of second; so a closed period keeps its
own. A settled order is one agreement's account period, paid through a cycle that is settled, net of what was given
back. Not counted, and listed: deals between related parties, the operator's own (自营), disputed ones, reversed ones.
A fault counts by its weight in numerator and denominator, so one more fault never raises a score. A component without
any input is left out and the others carry the score: nobody is marked down for what never happened. What nobody decided
(a complaint withdrawn or settled without money, a scope finding, a rescission) is no input. Credit is published by the
operator's system key; it is frozen while objected to; whoever upholds an objection names the inputs that are set aside.
"""
