"""Models that can be fetched: what there is (`catalogue`), what the hub offers (`hub`), bringing it here (`fetch`).

`fetch.fetch` may run in a thread of its own: it reports to a callback and ends soon after its `stop` event is set.
"""
