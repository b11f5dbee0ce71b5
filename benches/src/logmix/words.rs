//! The words that the log mix draws from; those that come first are drawn most.

/// Services of the shop that all streams belong to.
pub const SERVICES: [&str; 12] = [
    "checkout",
    "catalog",
    "search",
    "accounts",
    "payments",
    "cart",
    "shipping",
    "inventory",
    "gateway",
    "notify",
    "pricing",
    "reviews",
];

/// Paths of requests. `#` stands for a number, `@` for a UUID, `?` for a search word.
pub const PATHS: [&str; 40] = [
    "/api/v1/products/#",
    "/api/v1/cart",
    "/healthz",
    "/api/v1/search?q=?&page=#",
    "/api/v1/orders/@",
    "/static/js/app.5f3c91.js",
    "/api/v1/products/#/reviews?limit=20",
    "/api/v2/recommendations?user=#&slot=home",
    "/api/v1/users/#/profile",
    "/static/css/main.80ab12.css",
    "/api/v1/cart/items/#",
    "/",
    "/api/v1/orders?status=open&page=#",
    "/favicon.ico",
    "/api/v1/sessions",
    "/metrics",
    "/products/?",
    "/api/v1/checkout/@/confirm",
    "/static/img/products/#_large.webp",
    "/static/img/products/#_thumb.webp",
    "/api/v1/inventory/sku-#",
    "/api/v1/payments/@/capture",
    "/api/v1/payments/@/refund",
    "/api/v1/shipping/quotes?zip=#",
    "/login",
    "/logout",
    "/api/v1/addresses/#",
    "/api/v1/coupons/?",
    "/sitemap.xml",
    "/robots.txt",
    "/api/v1/wishlists/#",
    "/graphql",
    "/api/internal/pricing/rules/#",
    "/api/internal/flags?env=production",
    "/wp-login.php",
    "/.env",
    "/api/v1/notifications/@",
    "/api/v1/events",
    "/static/fonts/inter-var.woff2",
    "/api/v1/exports/@/download",
];

/// Methods of requests.
pub const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"];

/// Programs of clients. `#` stands for a version.
pub const AGENTS: [&str; 16] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/#.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Version/17.# Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/#.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
     Version/17.# Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:#.0) Gecko/20100101 Firefox/#.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:#.0) Gecko/20100101 Firefox/#.0",
    "okhttp/4.12.#",
    "ShopApp/8.#.2 (iOS 17.5.1; iPhone14,5)",
    "ShopApp/8.#.0 (Android 14; Pixel 7)",
    "kube-probe/1.31",
    "Prometheus/3.#.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "curl/8.#.0",
    "python-requests/2.32.#",
    "Go-http-client/2.0",
];

/// Where requests come from.
pub const REFERRERS: [&str; 8] = [
    "-",
    "https://shop.example.com/",
    "https://shop.example.com/products",
    "https://shop.example.com/cart",
    "https://www.google.com/",
    "https://shop.example.com/search",
    "https://m.shop.example.com/",
    "https://news.example.org/best-running-shoes",
];

/// What people search for, name and shout about.
pub const TOPICS: [&str; 48] = [
    "shoes",
    "jacket",
    "running",
    "lamp",
    "coffee",
    "backpack",
    "headphones",
    "kettle",
    "desk",
    "bicycle",
    "tent",
    "keyboard",
    "monitor",
    "gloves",
    "rucksack",
    "teapot",
    "notebook",
    "umbrella",
    "camera",
    "tripod",
    "blanket",
    "pillow",
    "charger",
    "cable",
    "speaker",
    "mug",
    "bottle",
    "helmet",
    "guitar",
    "piano",
    "drill",
    "hammer",
    "ladder",
    "paint",
    "brush",
    "carpet",
    "curtain",
    "mirror",
    "sofa",
    "armchair",
    "bookshelf",
    "wardrobe",
    "mattress",
    "freezer",
    "toaster",
    "blender",
    "scooter",
    "skateboard",
];

/// Names of people, not all of them plain.
pub const PEOPLE: [&str; 24] = [
    "anna", "mehmet", "olivia", "jürgen", "wei", "fatima", "carlos", "zoë", "ivan", "priya",
    "noah", "søren", "amélie", "tom", "yuki", "łukasz", "maría", "ahmed", "chloe", "björn", "李娜",
    "emma", "pavel", "sofia",
];

/// Tables of a database.
pub const TABLES: [&str; 10] = [
    "orders",
    "order_items",
    "customers",
    "products",
    "stock_levels",
    "payments",
    "sessions",
    "addresses",
    "price_rules",
    "audit_log",
];

/// Accounts that strangers try.
pub const ACCOUNTS: [&str; 14] = [
    "root", "admin", "test", "ubuntu", "oracle", "postgres", "user", "git", "deploy", "ftpuser",
    "mysql", "guest", "support", "pi",
];
