//! How long large lists take. Figures are printed, nothing is asserted about time: machines differ.

use super::stub::{SERVER, Stub, ok};

/// ICT-42: ten thousand servers are read, in one request.
#[tokio::test]
async fn ten_thousand_servers_are_read() {
    let one = SERVER.replace('\n', "");
    let mut list = String::from("[");
    for number in 0..10_000 {
        if number > 0 {
            list.push(',');
        }
        list.push_str(&one.replace("500123", &(500_000 + number).to_string()));
    }
    list.push(']');
    let bytes = list.len();
    let stub = Stub::new(move |_, _| ok(&list));
    let cloud = stub.cloud();
    let began = tokio::time::Instant::now();
    let servers = cloud.servers().await.unwrap();
    println!("10,000 servers, {bytes} bytes: {:?} (this build's optimisation)", began.elapsed());
    assert_eq!((servers.len(), stub.asked().len()), (10_000, 1));
    assert_eq!(servers[9_999].id.as_str(), "509999");
}
