"""Ask whether a credential is live: `http` runs the tables of rules, the other modules do what needs code.

A module is found by its name, which a rule's table gives as `code = "name"`, and has what `_contract.Verifier` lists.
"""
