//! The summary of a machine from one and from two scrapes.

use muster_series::{Exposition, HostSummary, Limits, host_summary};

fn scrape(boot: u64, time: u64, idle: f64, user: f64, received: f64) -> Exposition {
    let text = format!(
        r#"node_cpu_seconds_total{{cpu="0",mode="idle"}} {idle}
node_cpu_seconds_total{{cpu="0",mode="user"}} {user}
node_cpu_seconds_total{{cpu="1",mode="idle"}} {idle}
node_cpu_seconds_total{{cpu="1",mode="user"}} {user}
node_load1 0.5
node_load5 0.25
node_load15 0.1
node_memory_MemTotal_bytes 4.0e+09
node_memory_MemAvailable_bytes 3e+09
node_filesystem_size_bytes{{device="/dev/vda1",fstype="ext4",mountpoint="/"}} 1000
node_filesystem_avail_bytes{{device="/dev/vda1",fstype="ext4",mountpoint="/"}} 250
node_filesystem_size_bytes{{device="tmpfs",fstype="tmpfs",mountpoint="/run"}} 99
node_filesystem_avail_bytes{{device="tmpfs",fstype="tmpfs",mountpoint="/run"}} 99
node_disk_read_bytes_total{{device="vda"}} 10
node_disk_read_bytes_total{{device="loop0"}} 999
node_disk_written_bytes_total{{device="vda"}} 20
node_network_receive_bytes_total{{device="eth0"}} {received}
node_network_receive_bytes_total{{device="lo"}} 999999
node_network_transmit_bytes_total{{device="eth0"}} 7
node_boot_time_seconds {boot}
node_time_seconds {time}
node_uname_info{{domainname="(none)",machine="x86_64",nodename="web-1",release="6.1.0",sysname="Linux"}} 1
"#
    );
    Exposition::parse(&text, &Limits::default()).unwrap()
}

fn near(left: Option<f64>, right: f64) {
    assert!((left.unwrap() - right).abs() < 1e-9, "{left:?} is not {right}");
}

#[test]
fn one_scrape_gives_all_but_shares_and_rates() {
    let HostSummary {
        cpu_busy_share,
        cpu_count,
        load,
        memory_total_bytes,
        memory_available_bytes,
        filesystems,
        disk,
        network,
        boot_time_seconds,
        time_seconds,
        uname,
    } = host_summary(&scrape(1000, 2000, 900.0, 100.0, 5000.0), None);
    assert_eq!(cpu_busy_share, None);
    assert_eq!(cpu_count, 2);
    assert_eq!(load, Some([0.5, 0.25, 0.1]));
    assert_eq!((memory_total_bytes, memory_available_bytes), (Some(4e9), Some(3e9)));
    assert_eq!(filesystems.len(), 1);
    assert_eq!((filesystems[0].mountpoint.as_str(), filesystems[0].used_share()), ("/", 0.75));
    assert_eq!((disk.in_bytes_total, disk.out_bytes_total), (10.0, 20.0));
    assert_eq!((network.in_bytes_total, network.in_bytes_per_second), (5000.0, None));
    assert_eq!((boot_time_seconds, time_seconds), (Some(1000.0), Some(2000.0)));
    assert_eq!(uname.unwrap().nodename, "web-1");
}

#[test]
fn two_scrapes_give_shares_and_rates() {
    let summary = host_summary(
        &scrape(1000, 2000, 900.0, 100.0, 5000.0),
        Some(&scrape(1000, 2010, 908.0, 102.0, 6000.0)),
    );
    near(summary.cpu_busy_share, 0.2);
    near(summary.network.in_bytes_per_second, 100.0);
    near(summary.disk.in_bytes_per_second, 0.0);
}

#[test]
fn a_reboot_between_two_scrapes_counts_from_zero() {
    // Booted at 2000, scraped at 2010: 8 idle and 2 busy seconds on each processor. The busy counter already
    // passes its old value, so only the boot time tells.
    let summary =
        host_summary(&scrape(1000, 1990, 900.0, 1.0, 5000.0), Some(&scrape(2000, 2010, 8.0, 2.0, 300.0)));
    near(summary.cpu_busy_share, 0.2);
    near(summary.network.in_bytes_per_second, 30.0);
}

#[test]
fn a_counter_that_went_back_counts_from_zero() {
    let summary = host_summary(
        &scrape(1000, 2000, 900.0, 100.0, 5000.0),
        Some(&scrape(1000, 2010, 908.0, 102.0, 50.0)),
    );
    near(summary.network.in_bytes_per_second, 5.0);
}

#[test]
fn an_empty_text_gives_an_empty_summary() {
    let nothing = Exposition::parse("", &Limits::default()).unwrap();
    assert_eq!(
        host_summary(&nothing, Some(&nothing)),
        HostSummary { disk: muster_series::host::Traffic::default(), ..HostSummary::default() }
    );
}
