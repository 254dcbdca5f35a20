-- wrk: posts the bodies of a file, a line each in hexadecimal, in any order;
-- counts the answers that are OCSP errors or no 200:
--
--     wrk ... URL -- FILE [PAUSE], milliseconds, on average

local requests, pause, total, failed = {}, 0, 0, 0
local threads = {}

function setup(thread)
    threads[#threads + 1] = thread
end

function init(args)
    wrk.headers["Content-Type"] = "application/ocsp-request"
    pause = 2 * (tonumber(args[2]) or 0)

    for line in io.lines(args[1]) do
        local body = line:gsub("%x%x", function(octet)
            return string.char(tonumber(octet, 16))
        end)

        requests[#requests + 1] = wrk.format("POST", nil, nil, body)
    end

    if pause > 0 then
        delay = function() return math.random(0, pause) end
    end
end

function request()
    return requests[math.random(#requests)]
end

function response(status, headers, body)
    total = total + 1

    if status ~= 200 or #body < 8 then
        failed = failed + 1
    end

    answers, failures = total, failed
end

function done(summary, latency, all)
    local n, bad = 0, 0

    for _, thread in ipairs(threads) do
        n = n + (thread:get("answers") or 0)
        bad = bad + (thread:get("failures") or 0)
    end

    print(("answers: %d failed: %d"):format(n, bad))
end
