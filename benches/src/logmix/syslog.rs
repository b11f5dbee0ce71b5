//! Lines of a machine's system log: many programs, each with its own manner.

use crate::logmix::random::Random;
use crate::logmix::scene::Scene;
use crate::logmix::text::{put_address, put_hex, put_number, put_padded};
use crate::logmix::words::{ACCOUNTS, SERVICES};

/// The next line.
pub fn put_line(out: &mut String, scene: &mut Scene) {
    let civil = scene.civil();
    civil.put_syslog(out);
    out.push_str(" node-");
    put_padded(out, scene.process % 100, 2);
    let process = scene.process;
    let random = &mut scene.random;
    match random.rank(9) {
        0 => refused(out, random),
        1 => {
            out.push_str(" kubelet[");
            put_number(out, process);
            out.push_str("]: I");
            civil.put_klog(out);
            out.push_str("    ");
            put_number(out, process);
            out.push_str(" kuberuntime_container.go:");
            put_number(out, random.any(&[224, 612, 719]));
            out.push_str("] \"Container status\" pod=\"shop/");
            put_pod(out, random);
            out.push_str("\" containerID=\"containerd://");
            for _ in 0..4 {
                put_hex(out, random.bits(), 16);
            }
            out.push('"');
        }
        2 => {
            out.push_str(" kernel: [");
            put_number(out, (scene.time_ns / 1_000_000_000 % 10_000_000) as u64);
            out.push('.');
            put_padded(out, random.below(1_000_000), 6);
            out.push_str("] ");
            blocked(out, random);
        }
        3 => {
            out.push_str(" CRON[");
            put_number(out, random.between(1_000, 65_000));
            out.push_str("]: (root) CMD (/usr/lib/sysstat/sa1 1 1)");
        }
        4 => {
            out.push_str(" systemd[1]: Started Session ");
            put_number(out, random.between(1, 90_000));
            out.push_str(" of User ");
            out.push_str(random.ranked(&ACCOUNTS));
            out.push('.');
        }
        5 => connected(out, random),
        6 => {
            out.push_str(" containerd[");
            put_number(out, process + 7);
            out.push_str("]: time=\"");
            civil.put_iso(out, 9);
            out.push_str("\" level=info msg=\"shim disconnected\" id=");
            for _ in 0..4 {
                put_hex(out, random.bits(), 16);
            }
            out.push_str(" namespace=k8s.io");
        }
        7 => leased(out, random),
        _ => consumed(out, random),
    }
}

fn leased(out: &mut String, random: &mut Random) {
    out.push_str(" dhclient[812]: DHCPREQUEST for 10.20.");
    put_number(out, random.below(16));
    out.push('.');
    put_number(out, random.below(256));
    out.push_str(" on eth0 to 10.20.0.1 port 67 (xid=0x");
    put_hex(out, random.bits(), 8);
    out.push(')');
}

fn consumed(out: &mut String, random: &mut Random) {
    out.push_str(" systemd[1]: ");
    out.push_str(random.ranked(&SERVICES));
    out.push_str(".service: Consumed ");
    put_number(out, random.tailed(40));
    out.push('.');
    put_padded(out, random.below(1_000), 3);
    out.push_str("s CPU time.");
}

fn refused(out: &mut String, random: &mut Random) {
    out.push_str(" sshd[");
    put_number(out, random.between(1_000, 65_000));
    out.push_str("]: Failed password for ");
    out.push_str(random.any(&["invalid user ", "invalid user ", ""]));
    out.push_str(random.ranked(&ACCOUNTS));
    out.push_str(" from ");
    put_address(out, random.rank(5_000));
    out.push_str(" port ");
    put_number(out, random.between(1_024, 65_535));
    out.push_str(" ssh2");
}

fn blocked(out: &mut String, random: &mut Random) {
    out.push_str("[UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:");
    for place in 0..3 {
        if place > 0 {
            out.push(':');
        }
        put_hex(out, random.rank(8), 2);
    }
    out.push_str(" SRC=");
    put_address(out, random.rank(8_000));
    out.push_str(" DST=10.20.3.7 LEN=");
    put_number(out, random.any(&[40, 44, 52, 60]));
    out.push_str(" TTL=");
    put_number(out, random.between(38, 250));
    out.push_str(" ID=");
    put_number(out, random.below(65_536));
    out.push_str(" PROTO=TCP SPT=");
    put_number(out, random.between(1_024, 65_535));
    out.push_str(" DPT=");
    put_number(
        out,
        random.ranked(&[22, 23, 443, 3_389, 8_080, 5_060, 6_379, 9_200]),
    );
    out.push_str(" WINDOW=");
    put_number(out, random.any(&[1_024, 14_600, 29_200, 64_240]));
    out.push_str(" SYN URGP=0");
}

fn connected(out: &mut String, random: &mut Random) {
    out.push_str(" postfix/smtpd[");
    put_number(out, random.between(1_000, 65_000));
    out.push_str("]: connect from unknown[");
    put_address(out, random.rank(3_000));
    out.push(']');
}

fn put_pod(out: &mut String, random: &mut Random) {
    let number = random.rank(200);
    out.push_str(SERVICES[number as usize % SERVICES.len()]);
    out.push('-');
    put_hex(out, crate::fleet::mix(number, 79), 9);
    out.push('-');
    put_hex(out, crate::fleet::mix(number, 83), 5);
}
