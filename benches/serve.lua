-- For wrk: POST /api/v1/verify, another address and another key each time. `wrk … -- KEYS ADDRESSES`, two files of lines.

local requests, next_one = {}, 0

local function lines(path)
    local read = {}
    for line in io.lines(path) do
        read[#read + 1] = line
    end
    return read
end

function init(args)
    local keys, addresses = lines(args[1]), lines(args[2])
    for number, address in ipairs(addresses) do
        local headers = { ["Api-Key"] = keys[number % #keys + 1], ["Content-Type"] = "application/json" }
        requests[number] = wrk.format("POST", "/api/v1/verify", headers, '{"email":"' .. address .. '"}')
    end
end

function request()
    next_one = next_one % #requests + 1
    return requests[next_one]
end

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        'JSON {"per_second":%f,"median_ms":%f,"p99_ms":%f,"failed":%d,"answered":%d}\n',
        summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        failed, summary.requests))
end
