"""The conformance kit of knowledge sources: a lab to change a place, checks A to L, and reports.

Authors inherit `citebot.testing.contract_source.SourceContract`; admins run `citebot source check NAME --conformance`.
"""
