"""Models that can be fetched: their list (`catalogue`), requests to the hub (`client`, `look_up`), downloads (`fetch`,
`download`) and files on disk (`store`).

`fetch.fetch` may run in its own thread: it reports to a callback and returns soon after its `stop` event is set.
"""
