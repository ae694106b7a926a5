"""Workers on a Ray cluster.

Ray places them and reports nodes that are lost. It does not notice a node that is frozen or cut off: leases do.
"""
