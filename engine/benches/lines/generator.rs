//! Log lines of five makes, seeded, with ids, addresses and durations of full entropy.
//!
//! Each stream writes one make. What repeats in real logs repeats here (messages, paths, agents,
//! hosts); what does not is drawn from all of its range.

/// A small generator of random numbers (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// Small numbers often, large ones rarely.
    fn skewed(&mut self, end: u64) -> u64 {
        let unit = self.next() as f64 / u64::MAX as f64;
        ((unit * unit * unit) * end as f64) as u64
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let end = from.len() as u64;
        from[self.skewed(end).min(end - 1) as usize]
    }

    /// Exponential with this mean: waits and durations.
    fn wait(&mut self, mean: f64) -> f64 {
        let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        -mean * (1.0 - unit).ln()
    }

    fn hex(&mut self, digits: usize) -> String {
        let text = format!("{:016x}{:016x}", self.next(), self.next());
        text[..digits].to_owned()
    }

    fn uuid(&mut self) -> String {
        let h = self.hex(32);
        format!(
            "{}-{}-4{}-a{}-{}",
            &h[..8],
            &h[8..12],
            &h[13..16],
            &h[17..20],
            &h[20..]
        )
    }

    fn address(&mut self) -> String {
        let n = self.next();
        format!(
            "{}.{}.{}.{}",
            1 + n % 223,
            n >> 8 & 255,
            n >> 16 & 255,
            n >> 24 & 255
        )
    }
}

const PATHS: [&str; 24] = [
    "/api/v1/cart/items",
    "/api/v1/checkout",
    "/api/v2/search",
    "/healthz",
    "/api/v1/profile",
    "/api/v1/orders",
    "/static/app.js",
    "/api/v1/payments",
    "/login",
    "/logout",
    "/metrics",
    "/api/v1/recommendations",
    "/static/css/site.css",
    "/images/logo.png",
    "/favicon.ico",
    "/api/v1/inventory",
    "/api/v1/shipping/quote",
    "/api/v1/reviews",
    "/admin/users",
    "/feed.xml",
    "/api/v1/wishlist",
    "/api/v1/coupons/apply",
    "/api/v1/notifications",
    "/robots.txt",
];
const AGENTS: [&str; 12] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, \
     like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "okhttp/4.12.0",
    "kube-probe/1.31",
    "curl/8.10.1",
    "Go-http-client/2.0",
    "python-requests/2.32.3",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Prometheus/3.0.0",
    "ELB-HealthChecker/2.0",
];
const REFERERS: [&str; 6] = [
    "-",
    "https://shop.example.com/",
    "https://shop.example.com/cart",
    "https://www.google.com/",
    "https://shop.example.com/search",
    "https://news.example.org/",
];
const USERS: [&str; 16] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory",
    "niaj", "olivia", "peggy", "rupert", "sybil",
];
const CLASSES: [&str; 10] = [
    "c.a.shop.order.OrderService",
    "c.a.shop.cart.CartController",
    "c.a.shop.pay.PaymentGateway",
    "o.s.web.servlet.DispatcherServlet",
    "o.h.engine.jdbc.spi.SqlExceptionHelper",
    "c.a.shop.stock.StockListener",
    "o.a.kafka.clients.NetworkClient",
    "c.z.hikari.pool.HikariPool",
    "c.a.shop.mail.MailSender",
    "c.a.shop.user.SessionCache",
];

/// The makes of lines by number.
pub const MAKES: [&str; 5] = ["nginx", "logfmt", "json", "java", "syslog"];

/// Writes line `at` (nanoseconds) of a stream of the given make into `out`.
pub fn line(make: usize, stream: u64, at: i64, random: &mut Random, out: &mut String) {
    out.clear();
    match make % MAKES.len() {
        0 => nginx(at, random, out),
        1 => logfmt(stream, at, random, out),
        2 => json(stream, at, random, out),
        3 => java(at, random, out),
        _ => syslog(stream, at, random, out),
    }
}

/// Hours, minutes, seconds and nanoseconds of the day.
fn clock(at: i64) -> (i64, i64, i64, i64) {
    let seconds = at / 1_000_000_000;
    (
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        at % 1_000_000_000,
    )
}

fn status(random: &mut Random) -> u64 {
    [
        200, 200, 200, 200, 200, 200, 201, 204, 301, 304, 400, 401, 404, 500, 502, 503,
    ][random.skewed(16) as usize % 16]
}

fn path(random: &mut Random) -> String {
    let path = random.pick(&PATHS);
    match random.below(10) {
        0..4 => path.to_owned(),
        4..7 => format!("{path}/{}", random.below(1_000_000)),
        7..9 => format!(
            "{path}?page={}&size={}",
            random.below(40),
            [10, 20, 50][random.below(3) as usize]
        ),
        _ => format!(
            "{path}?q={}&session={}",
            random.pick(&USERS),
            random.hex(16)
        ),
    }
}

use std::fmt::Write;

fn nginx(at: i64, random: &mut Random, out: &mut String) {
    let (hour, minute, second, _) = clock(at);
    let size = random.skewed(90_000);
    let _ = write!(
        out,
        "{} - - [07/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] \"{} {} HTTP/1.1\" {} \
         {size} \"{}\" \"{}\" rt={:.3} uct={:.3} rid={}",
        random.address(),
        random.pick(&["GET", "POST", "PUT", "DELETE"]),
        path(random),
        status(random),
        random.pick(&REFERERS),
        random.pick(&AGENTS),
        random.wait(0.12),
        random.wait(0.002),
        random.hex(32),
    );
}

fn logfmt(stream: u64, at: i64, random: &mut Random, out: &mut String) {
    let (hour, minute, second, ns) = clock(at);
    let status = status(random);
    let level = if status >= 500 {
        "error"
    } else if status >= 400 {
        "warn"
    } else {
        "info"
    };
    let _ = write!(
        out,
        "ts=2026-11-07T{hour:02}:{minute:02}:{second:02}.{:06}Z level={level} caller={} \
         msg=\"{}\" method={} path={} status={status} duration={:.3}ms bytes={} user_id={} \
         trace_id={} span_id={} client={}:{} pod=api-{:x}-{:05x}",
        ns / 1000,
        random.pick(&[
            "server/http.go:212",
            "server/http.go:187",
            "store/db.go:98",
            "auth/token.go:55"
        ]),
        random.pick(&[
            "request completed",
            "request failed",
            "slow request",
            "cache refreshed",
            "retrying upstream call"
        ]),
        random.pick(&["GET", "POST", "PUT"]),
        path(random),
        random.wait(85.0),
        random.skewed(200_000),
        random.below(5_000_000),
        random.hex(32),
        random.hex(16),
        random.address(),
        1024 + random.below(60_000),
        stream.wrapping_mul(0x9e37_79b9) & 0xffff_ffff,
        stream & 0xfffff,
    );
}

fn json(stream: u64, at: i64, random: &mut Random, out: &mut String) {
    let (hour, minute, second, ns) = clock(at);
    let message = match random.below(8) {
        0 => format!(
            "order {} placed by user {}",
            random.below(90_000_000) + 10_000_000,
            random.below(5_000_000)
        ),
        1 => format!(
            "payment {} authorised in {} ms",
            random.uuid(),
            random.wait(300.0) as u64
        ),
        2 => "cache miss, loading from database".to_owned(),
        3 => format!(
            "published event to topic orders partition {} offset {}",
            random.below(24),
            at / 1_000_000
        ),
        4 => format!("user {} logged in", random.pick(&USERS)),
        5 => format!(
            "reserved {} items of sku SKU-{:06}",
            1 + random.below(9),
            random.below(400_000)
        ),
        6 => format!(
            "upstream inventory answered 503 after {:.1}ms, attempt {} of 3",
            random.wait(900.0),
            1 + random.below(3)
        ),
        _ => "request handled".to_owned(),
    };
    let _ = write!(
        out,
        "{{\"timestamp\":\"2026-11-07T{hour:02}:{minute:02}:{second:02}.{:03}Z\",\
         \"level\":\"{}\",\"logger\":\"{}\",\"message\":\"{message}\",\
         \"service\":\"checkout\",\"host\":\"ip-10-0-{}-{}\",\"trace_id\":\"{}\",\
         \"request_id\":\"{}\",\"duration_ms\":{},\"retry\":{}}}",
        ns / 1_000_000,
        random.pick(&["INFO", "INFO", "DEBUG", "WARN", "ERROR"]),
        random.pick(&CLASSES),
        stream & 255,
        (stream * 7) & 255,
        random.hex(32),
        random.uuid(),
        random.wait(60.0) as u64,
        ["false", "false", "false", "true"][random.below(4) as usize],
    );
}

fn java(at: i64, random: &mut Random, out: &mut String) {
    let (hour, minute, second, ns) = clock(at);
    let class = random.pick(&CLASSES);
    let level = random.pick(&["INFO ", "DEBUG", "WARN ", "ERROR"]);
    let _ = write!(
        out,
        "2026-11-07 {hour:02}:{minute:02}:{second:02},{:03} {level} [http-nio-8080-exec-{}] \
         {class} - ",
        ns / 1_000_000,
        1 + random.below(40),
    );
    let _ = match random.below(9) {
        0 => write!(
            out,
            "Order {} created for customer {} total {}.{:02} EUR",
            random.below(1 << 40),
            random.below(5_000_000),
            random.skewed(900),
            random.below(100)
        ),
        1 => write!(
            out,
            "Completed {} OK in {} ms",
            status(random),
            random.wait(40.0) as u64
        ),
        2 => write!(
            out,
            "HikariPool-1 - Pool stats (total={}, active={}, idle={}, waiting={})",
            20,
            random.below(20),
            random.below(20),
            random.below(3)
        ),
        3 => write!(
            out,
            "Message consumed from payments-{} at offset {} key {}",
            random.below(12),
            at / 2_000_000,
            random.uuid()
        ),
        4 => write!(
            out,
            "Session {} refreshed for {}",
            random.hex(32).to_uppercase(),
            random.pick(&USERS)
        ),
        5 => write!(
            out,
            "SELECT o.id, o.total FROM orders o WHERE o.customer_id = {} AND o.created_at > \
             '2026-10-{:02}' took {:.2} ms",
            random.below(5_000_000),
            1 + random.below(30),
            random.wait(4.0)
        ),
        6 => {
            let _ = write!(
                out,
                "Unhandled exception for request {}\njava.lang.IllegalStateException: order \
                 {} is in state CANCELLED",
                random.uuid(),
                random.below(90_000_000)
            );
            for frame in 0..6 + random.below(4) {
                let _ = write!(
                    out,
                    "\n\tat com.acme.shop.{}.process(Handler.java:{})",
                    ["order", "cart", "pay", "stock"][(frame % 4) as usize],
                    40 + frame * 31
                );
            }
            Ok(())
        }
        7 => write!(
            out,
            "Node {} disconnected, reconnecting to broker-{}.kafka.svc:9092",
            random.below(9),
            random.below(9)
        ),
        _ => write!(
            out,
            "Mail queued for user {} with template order-confirmation",
            random.pick(&USERS)
        ),
    };
}

fn syslog(stream: u64, at: i64, random: &mut Random, out: &mut String) {
    let (hour, minute, second, ns) = clock(at);
    let host = stream % 50;
    let _ = write!(
        out,
        "Nov  7 {hour:02}:{minute:02}:{second:02} node-{host:02} "
    );
    let _ = match random.below(8) {
        0 => write!(
            out,
            "sshd[{}]: Failed password for invalid user {} from {} port {} ssh2",
            random.below(4_000_000),
            random.pick(&USERS),
            random.address(),
            1024 + random.below(64_000)
        ),
        1 => write!(
            out,
            "sshd[{}]: Accepted publickey for {} from {} port {} ssh2: ED25519 SHA256:{}",
            random.below(4_000_000),
            random.pick(&USERS),
            random.address(),
            1024 + random.below(64_000),
            random.hex(32)
        ),
        2 => write!(
            out,
            "kernel: [{}.{:06}] IPv4: martian source {} from {}, on dev eth0",
            at / 1_000_000_000 % 10_000_000,
            ns / 1000,
            random.address(),
            random.address()
        ),
        3 => write!(
            out,
            "systemd[1]: Started Session {} of user {}.",
            random.below(1_000_000),
            random.pick(&USERS)
        ),
        4 => write!(
            out,
            "CRON[{}]: (root) CMD (/usr/lib/sysstat/sa1 1 1)",
            random.below(4_000_000)
        ),
        5 => write!(
            out,
            "kubelet[1873]: I1107 {hour:02}:{minute:02}:{second:02}.{:06}    1873 \
             kuberuntime_manager.go:{}] \"SyncLoop (PLEG): event for pod\" \
             pod=\"shop/checkout-{}-{}\" containerID=\"containerd://{}\"",
            ns / 1000,
            400 + random.below(9),
            random.hex(10),
            random.hex(5),
            random.hex(32)
        ),
        6 => write!(
            out,
            "dhclient[812]: DHCPACK of {} from {} (xid=0x{})",
            random.address(),
            random.address(),
            random.hex(8)
        ),
        _ => write!(
            out,
            "audit[{}]: USER_LOGIN pid={} uid={} auid=4294967295 ses={} res=success",
            random.below(4_000_000),
            random.below(4_000_000),
            random.below(2_000),
            random.below(100_000)
        ),
    };
}
