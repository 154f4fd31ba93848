"""The intermediate representation: types, ops, graph, text form, verifier, rules and passes."""
