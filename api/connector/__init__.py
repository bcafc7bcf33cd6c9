"""The connector 连接器: a process that meters every use of an agreement on its own side and signs for it.

    provider's   consumer ──▶ connector ──▶ data API, or a folder of files
    consumer's   application ──▶ connector ──▶ the provider's connector
                                    │ record durable before the body is released (D11)
                                    └──▶ platform: batches, closes and heartbeats, frozen before they are sent

It decides by the agreement's use policy before the call goes on, chains each use to the one before, keeps the records
on disk through a kill or an outage of the platform, and sends them later without loss or doubling. A power loss is
survived as far as the disk keeps its word on fsync. Each side's connector reports the same request id, so that the two
can be compared use by use (exchange.md §5.4). What it keeps is sealed with a key of its own (`vault`). Settings are
one JSON file: `shuqing connector run CONFIG.json`, or `python -m api.connector CONFIG.json`.

    GET|POST … /<path>         Authorization: Bearer <access token>, X-Request-Id, X-Purpose, X-User (optional);
                               text other than ASCII percent-encoded; the consumer's makes a request id if none comes
                               an agreement by the message takes streams too (server-sent events): each window
                               begins with the comment ": usage <connector>/<seq> <SHA-256> <messages>"
    PUT  /connector/agreements {"signed": {statement, signatures}, "parts": [terms fields], "token_sha256": hex}
                               the consumer's also "access_token" if the provider gave one otherwise
                                                                                           administrator's token
    POST /connector/flush      send what is waiting                                        administrator's token
    POST /connector/negotiations           begins with a provider of another data space    administrator's token
    POST /connector/negotiations/<id>/<accept|counter|verify|terminate>                    administrator's token
    GET  /connector/negotiations           where they stand                                administrator's token
    GET|POST /dsp/2025/1/negotiations/<id> what that provider says and asks                the id nobody can guess
    POST /connector/transfers  {"agreement": id}: asks the provider's connector to let us in    administrator's token
    POST /connector/transfers/<id>/<suspension|start|completion|termination>               administrator's token
    GET  /connector/transfers  where they stand                                            administrator's token
    POST /dsp/2025/1/transfers/request     a consumer's connector asks                     signed
    GET|POST /dsp/2025/1/transfers/<id>    what the other side says and asks               the id nobody can guess
    GET  /connector/catalogue  the files it hands out, with their digests                  Bearer <access token>
    GET  /connector/status     counts, agreements, last error                              administrator's token

- `settings`: the configuration file.
- `vault`: what the state is sealed with.
- `state`: agreements, records, batches and reports on its own disk, and their only writer.
- `agreements`: which agreements it serves, and for whom.
- `source`: a data API, another connector, or a folder of files; what it answers, held until the use is on record.
- `proxy`: one use: decide, deliver, record, release.
- `stream`: server-sent events in windows of messages.
- `subscription`: one use that goes on: every window decided, recorded, and only then handed on.
- `watching`: what became of its agreements, from the platform.
- `transfers`: opening a provider's connector to a consumer's, and shutting it (Dataspace Protocol).
- `peers`: what is said between connectors and providers: sent, kept sealed, read.
- `dataspace`: negotiating with providers of other data spaces, as a consumer (Dataspace Protocol).
- `sending`: batches, closes and heartbeats on their way to the platform.
- `serving`: its doors as an application, put together and run by `__main__`.
"""
