"""Models that can be fetched: their list (`catalogue`), the hub's client (`hub`), downloads (`fetch`), files (`store`).

`fetch.fetch` may run in its own thread: it reports to a callback and ends soon after its `stop` event is set.
"""
