-- wrk: posts a file whose last 12 octets are new each time, those of a nonce
-- or of a serial number: wrk ... URL -- FILE

local char, random = string.char, math.random
local head

function init(args)
    local a, b, c = io.open("/dev/urandom", "rb"):read(3):byte(1, 3)

    math.randomseed(a + 256 * b + 65536 * c)

    wrk.headers["Content-Type"] = "application/ocsp-request"

    head = wrk.format("POST", nil, nil, io.open(args[1], "rb"):read("*a"))
    head = head:sub(1, -13)
end

function request()
    return head .. char(random(0, 255), random(0, 255), random(0, 255),
                        random(0, 255), random(0, 255), random(0, 255),
                        random(0, 255), random(0, 255), random(0, 255),
                        random(0, 255), random(0, 255), random(0, 255))
end
