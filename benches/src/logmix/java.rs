//! Lines of a Java service, now and then with a stack trace of many lines.

use crate::logmix::random::Random;
use crate::logmix::scene::{Request, Scene};
use crate::logmix::text::{put_hex, put_number, put_padded, put_uuid};
use crate::logmix::words::{PEOPLE, SERVICES, TABLES};

/// Frames of stack traces, from the inside out; traces enter the list at different places.
const FRAMES: [&str; 28] = [
    "java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:288)",
    "java.base/java.net.Socket$SocketInputStream.read(Socket.java:1099)",
    "org.postgresql.core.VisibleBufferedInputStream.readMore(VisibleBufferedInputStream.java:192)",
    "org.postgresql.core.v3.QueryExecutorImpl.processResults(QueryExecutorImpl.java:2174)",
    "org.postgresql.jdbc.PgStatement.executeInternal(PgStatement.java:498)",
    "com.zaxxer.hikari.pool.ProxyPreparedStatement.executeQuery(ProxyPreparedStatement.java:52)",
    "org.hibernate.sql.results.jdbc.internal.DeferredResultSetAccess.executeQuery(\
     DeferredResultSetAccess.java:246)",
    "org.hibernate.loader.ast.internal.SingleIdLoadPlan.load(SingleIdLoadPlan.java:145)",
    "org.hibernate.event.internal.DefaultLoadEventListener.load(DefaultLoadEventListener.java:204)",
    "org.hibernate.internal.SessionImpl.find(SessionImpl.java:2406)",
    "com.example.shop.orders.OrderRepository.findById(OrderRepository.java:61)",
    "com.example.shop.orders.OrderService.load(OrderService.java:118)",
    "com.example.shop.orders.OrderService.confirm(OrderService.java:164)",
    "com.example.shop.orders.OrderController.confirm(OrderController.java:77)",
    "java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(\
     DirectMethodHandleAccessor.java:103)",
    "org.springframework.web.method.support.InvocableHandlerMethod.doInvoke(\
     InvocableHandlerMethod.java:255)",
    "org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:1089)",
    "org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:885)",
    "jakarta.servlet.http.HttpServlet.service(HttpServlet.java:658)",
    "org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:140)",
    "org.springframework.web.filter.OncePerRequestFilter.doFilter(OncePerRequestFilter.java:116)",
    "org.springframework.security.web.FilterChainProxy.doFilter(FilterChainProxy.java:191)",
    "org.apache.catalina.core.StandardWrapperValve.invoke(StandardWrapperValve.java:167)",
    "org.apache.catalina.connector.CoyoteAdapter.service(CoyoteAdapter.java:344)",
    "org.apache.coyote.http11.Http11Processor.service(Http11Processor.java:391)",
    "org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun(NioEndpoint.java:1741)",
    "org.apache.tomcat.util.threads.TaskThread$WrappingRunnable.run(TaskThread.java:63)",
    "java.base/java.lang.Thread.run(Thread.java:1583)",
];

const FAILURES: [&str; 6] = [
    "java.net.SocketTimeoutException: Read timed out",
    "org.postgresql.util.PSQLException: ERROR: deadlock detected",
    "java.lang.IllegalStateException: Order is already confirmed: ",
    "com.example.shop.stock.OutOfStockException: No stock left for product ",
    "java.util.concurrent.TimeoutException: Did not observe any item or terminal signal within ms ",
    "java.lang.NullPointerException: Cannot invoke \"Address.zip()\" because \"address\" is null",
];

/// The next line; with a stack trace it has many ends of line within.
pub fn put_line(out: &mut String, scene: &mut Scene) {
    let request = scene.request();
    scene.civil().put_java(out);
    let random = &mut scene.random;
    let template = random.rank(10);
    out.push_str(match template {
        7 => "  WARN",
        9 => " ERROR",
        1 | 6 => " DEBUG",
        _ => "  INFO",
    });
    out.push_str(" [http-nio-8080-exec-");
    put_number(out, random.between(1, 32));
    out.push_str("] [");
    put_hex(out, request.trace[0], 16);
    out.push(',');
    put_hex(out, request.trace[1], 16);
    out.push_str("] c.e.shop.");
    put_message(out, template, &request, random);
    if template == 9 {
        put_trace(out, &request, random);
    }
}

fn put_message(out: &mut String, template: u64, request: &Request, random: &mut Random) {
    match template {
        0 => {
            out.push_str("orders.OrderService     : Order ");
            put_number(out, request.subject);
            out.push_str(" confirmed for customer ");
            put_number(out, request.client);
            out.push_str(" in ");
            put_number(out, random.tailed(60));
            out.push_str(" ms");
        }
        1 => {
            out.push_str("db.QueryLog             : select * from ");
            out.push_str(random.ranked(&TABLES));
            out.push_str(" where id = ? [");
            put_number(out, request.subject);
            out.push_str("] took ");
            put_number(out, random.tailed(9));
            out.push_str(" ms");
        }
        2 => {
            out.push_str("stock.StockListener     : Received StockChanged(product=");
            put_number(out, random.rank(80_000));
            out.push_str(", delta=");
            out.push_str(random.any(&["-", "-", ""]));
            put_number(out, 1 + random.rank(50));
            out.push_str(", event=");
            put_uuid(out, random);
            out.push(')');
        }
        3 => {
            out.push_str("http.ClientLog          : POST http://");
            out.push_str(random.ranked(&SERVICES));
            out.push_str(":8080/internal/v1/events -> 202 (");
            put_number(out, random.tailed(25));
            out.push_str(" ms)");
        }
        4 => {
            out.push_str("carts.CartService       : Cart ");
            put_uuid(out, random);
            out.push_str(" of ");
            out.push_str(random.ranked(&PEOPLE));
            out.push_str(" now has ");
            put_number(out, 1 + random.rank(20));
            out.push_str(" items, total ");
            put_number(out, random.tailed(120));
            out.push('.');
            put_padded(out, random.below(100), 2);
            out.push_str(" EUR");
        }
        5 => out.push_str("jobs.Scheduler          : Starting job expire-carts"),
        _ => put_rare_message(out, template, request, random),
    }
}

fn put_rare_message(out: &mut String, template: u64, request: &Request, random: &mut Random) {
    match template {
        6 => {
            out.push_str("auth.TokenFilter        : Token ");
            put_hex(out, random.bits(), 16);
            out.push_str(" accepted for user ");
            put_number(out, request.client);
        }
        7 => {
            out.push_str("db.Pool                 : HikariPool-1 - Connection is slow (");
            put_number(out, 1_000 + random.tailed(900));
            out.push_str(" ms), active=");
            put_number(out, random.between(1, 20));
            out.push_str(", idle=0, waiting=");
            put_number(out, random.rank(40));
        }
        8 => {
            out.push_str("jobs.Scheduler          : Job expire-carts removed ");
            put_number(out, random.rank(900));
            out.push_str(" carts");
        }
        _ => {
            out.push_str("web.ErrorAdvice         : Request failed for order ");
            put_number(out, request.subject);
        }
    }
}

fn put_trace(out: &mut String, request: &Request, random: &mut Random) {
    let depth = random.rank(12) as usize;
    put_failure(out, request, random);
    let end = FRAMES.len() - random.rank(3) as usize;
    put_frames(out, &FRAMES[depth..end]);
    if random.permille(400) {
        out.push_str("\nCaused by: ");
        put_reason(out, request, random);
        put_frames(out, &FRAMES[..=depth]);
        out.push_str("\n\t... ");
        put_number(out, (end - depth) as u64);
        out.push_str(" more");
    }
}

fn put_failure(out: &mut String, request: &Request, random: &mut Random) {
    out.push_str("\ncom.example.shop.web.RequestFailedException: ");
    put_reason(out, request, random);
}

fn put_reason(out: &mut String, request: &Request, random: &mut Random) {
    let failure = random.ranked(&FAILURES);
    out.push_str(failure);
    if failure.ends_with(' ') {
        put_number(out, request.subject);
    }
}

fn put_frames(out: &mut String, frames: &[&str]) {
    for frame in frames {
        out.push_str("\n\tat ");
        out.push_str(frame);
    }
}
