"""Questions of what happened: each a function of a snapshot that returns a frozen answer.

`funnels` and `retention` and `activity` are the questions; `steps` says which events they mean, `arguments` reads what
people pass, `intervals` says how sure a rate is, and `queries` reads the SQL, which is in `sql/`.
"""
