"""The bus's Lua scripts. Redis runs each as one step: all of it or nothing, with nobody in between.

Keys, for a topic, a partition `p` and a group:

| key | type | holds |
|---|---|---|
| `bus:partitions` | string | partitions per topic, fixed when the server is first used |
| `bus:log:{topic}:{p}` | stream | the records; an entry's id is its offset: 1, 2, 3 … without gaps |
| `bus:last` | hash | log → its newest offset |
| `bus:committed:{group}` | hash | log → the lowest offset the group has not finished |
| `bus:groups:{topic}` | sorted set | group → when a member last called, within the hour. Milliseconds |
| `bus:members:{group}:{topic}` | sorted set | member → when it counts as dead unless it calls again. Milliseconds |
| `bus:owners:{group}:{topic}` | hash | p → the member that reads it |

When its memory is used up, Redis stops a script at its first command that could need more, unless the script has
already written something. PUBLISH must be stopped, so its first write is one that can be. SYNC and TRIM must not be,
because they are what frees memory, so they begin with a removal. For the same reason nothing here is a MULTI: Redis
then refuses even to read.
"""

LOWEST_UNFINISHED = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The lowest offset of a log that a group still needs, at most `offset`.
local function lowest_unfinished(log, groups, away_ms, offset)
    redis.call('ZREMRANGEBYSCORE', groups, '-inf', now - away_ms)
    for _, group in ipairs(redis.call('ZRANGE', groups, 0, -1)) do
        offset = math.min(offset, redis.call('HGET', 'bus:committed:' .. group, log) or 1)
    end
    return offset
end
"""

PUBLISH = (
    LOWEST_UNFINISHED
    + """
-- KEYS: bus:last, then for each record its log and its topic's groups.
-- ARGV: how long a group may be away (ms), then for each record: keep, most, number of fields, fields ...
local last = KEYS[1]
redis.call('HINCRBY', last, KEYS[2], 0)
local at = 2
for key = 2, #KEYS, 2 do
    local log, keep, most = KEYS[key], tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    if redis.call('XLEN', log) >= keep then
        local cut = redis.call('HGET', last, log) - keep + 2
        redis.call('XTRIM', log, 'MINID', lowest_unfinished(log, KEYS[key + 1], ARGV[1], cut))
    end
    if redis.call('XLEN', log) >= most then
        return redis.error_reply('FULL ' .. log .. ' holds ' .. most .. ' records that a group has not finished')
    end
    at = at + 3 + ARGV[at + 2]
end

at = 2
for key = 2, #KEYS, 2 do
    local fields = tonumber(ARGV[at + 2])
    local offset = redis.call('HINCRBY', last, KEYS[key], 1)
    redis.call('XADD', KEYS[key], offset, unpack(ARGV, at + 3, at + 2 + fields))
    at = at + 3 + fields
end
"""
)

TRIM = (
    LOWEST_UNFINISHED
    + """
-- Removes whatever every group has finished, and leaves alone the topics that no group reads.
-- KEYS: bus:last. ARGV: how long a group may be away (ms).
for _, log in ipairs(redis.call('HKEYS', KEYS[1])) do
    local groups = 'bus:groups:' .. string.match(log, '^bus:log:(.*):%d+$')
    if redis.call('EXISTS', groups) == 1 then
        local cut = redis.call('HGET', KEYS[1], log) + 1
        redis.call('XTRIM', log, 'MINID', lowest_unfinished(log, groups, ARGV[1], cut))
    end
end
"""
)

BOUNDS = """
-- Returns, of each log, its first offset and the one that the next record will get. KEYS: bus:last, then the logs.
local answer = {}
for i = 2, #KEYS do
    local next = (redis.call('HGET', KEYS[1], KEYS[i]) or 0) + 1
    answer[i - 1] = {next - redis.call('XLEN', KEYS[i]), next}
end
return answer
"""

SYNC = """
-- A member's call for one topic: commits and hands back what it says, renews its membership, takes what is due to it.
-- KEYS: bus:members, bus:owners, bus:committed, bus:groups, bus:last.
-- ARGV: member, group, lease in ms (0: it leaves), 'earliest' or 'latest' where the group has committed nothing, prefix
--       of the topic's logs, number of partitions, number of commits, (p, offset) of each, then each p it hands back.
-- Returns, of each partition it owns, (p, committed, 1 when it may keep p or 0 when another member waits for it), and
-- then 1 when it waits for another member's partition or 0.
local members, owners, committed, groups, last = unpack(KEYS)
local me, lease, start, prefix, partitions = ARGV[1], tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', members, '-inf', now)

local at = 8
for _ = 1, ARGV[7] do
    -- What Redis has lost was finished in vain: other records will have its offsets.
    local known = tonumber(ARGV[at + 1]) <= (redis.call('HGET', last, prefix .. ARGV[at]) or 0) + 1
    if known and redis.call('HGET', owners, ARGV[at]) == me then
        redis.call('HSET', committed, prefix .. ARGV[at], ARGV[at + 1])
    end
    at = at + 2
end
for i = at, #ARGV do
    if redis.call('HGET', owners, ARGV[i]) == me then
        redis.call('HDEL', owners, ARGV[i])
    end
end
if now - (redis.call('ZSCORE', groups, ARGV[2]) or 0) > 3600000 then
    redis.call('ZADD', groups, now, ARGV[2])
end

if lease == 0 then
    redis.call('ZREM', members, me)
    for p = 0, partitions - 1 do
        if redis.call('HGET', owners, p) == me then
            redis.call('HDEL', owners, p)
        end
    end
    return {}
end

redis.call('ZADD', members, now + lease, me)
local live, alive = redis.call('ZRANGE', members, 0, -1), {}
table.sort(live)
for _, member in ipairs(live) do
    alive[member] = true
end
local answer, waiting = {}, 0
for p = 0, partitions - 1 do
    local log = prefix .. p
    local next = (redis.call('HGET', last, log) or 0) + 1
    local first = next - redis.call('XLEN', log)
    redis.call('HSETNX', committed, log, start == 'latest' and next or first)
    local due = live[p % #live + 1]
    local owner = redis.call('HGET', owners, p)
    if due == me and not (owner and alive[owner]) then
        redis.call('HSET', owners, p, me)
        owner = me
    end
    if owner == me then
        answer[#answer + 1] = {p, math.max(redis.call('HGET', committed, log), first), due == me and 1 or 0}
    elseif due == me then
        waiting = 1
    end
end
answer[#answer + 1] = waiting
return answer
"""
