"""What the nodes of a fleet keep in common beside the journal, in key-value tables: each kind passes its seam's suite.

Keys begin with the org's name, so one table serves all orgs of a fleet.
"""
