-- wrk: posts PKCS#10 requests, each once: wrk ... URL -- FILE

local requests = {}
local n = 0

function init(args)
    local pem = io.open(args[1]):read("*a")

    for text in pem:gmatch("%-%-%-%-%-BEGIN.-%-%-%-%-%-END[^\n]*\n") do
        requests[#requests + 1] = text
    end

    wrk.headers["Content-Type"] = "application/pkcs10"
end

function request()
    n = n + 1
    return wrk.format("POST", nil, nil, requests[n] or "there are no more")
end
