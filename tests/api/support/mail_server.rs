//! A mail server that keeps the mails it receives, or refuses them with a code.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{eventually, own_loopback};

/// A mail, as the server received it.
#[derive(Clone, Debug)]
pub struct Mail {
    pub to: String,
    /// Headers and text.
    pub content: String,
}

impl Mail {
    /// The token of the mail's only link, which leads to this page.
    #[track_caller]
    pub fn token(&self, page: &str) -> String {
        let links: Vec<&str> = self.content.lines().filter(|line| line.starts_with("http")).collect();
        let [link] = links[..] else { panic!("{}", self.content) };
        let link = Url::parse(link).unwrap();
        assert_eq!(link.path(), page);
        link.query_pairs().find(|(name, _)| name == "token").unwrap().1.into_owned()
    }
}

/// Decodes quoted-printable text: joins broken lines and restores `=`. Mails of the service contain no other encoded characters.
fn decoded(content: &str) -> String {
    content.replace("=\n", "").replace("=3D", "=")
}

/// The server; it lives as long as the test.
pub struct MailServer {
    pub address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
    read: AtomicUsize,
    /// The code of the response to a recipient.
    code: Arc<AtomicU16>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((own_loopback(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mails, code) = (Arc::<Mutex<Vec<Mail>>>::default(), Arc::new(AtomicU16::new(250)));
        let (kept, responds) = (mails.clone(), code.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, code) = (kept.clone(), responds.load(Ordering::Relaxed));
                tokio::spawn(async move {
                    // An error means that the client has disconnected early, which a test may intend.
                    let _served = serve(stream, code, &kept).await;
                });
            }
        });
        Self { address, mails, read: AtomicUsize::new(0), code }
    }

    pub fn url(&self) -> Url {
        Url::parse(&format!("smtp://{}", self.address)).unwrap()
    }

    /// The argument that makes an application use this server.
    pub fn argument(&self) -> String {
        format!("--smtp-url={}", self.url())
    }

    /// From now on, responds to every recipient (`RCPT`) of a new connection with this code.
    pub fn answer_recipients(&self, code: u16) {
        self.code.store(code, Ordering::Relaxed);
    }

    /// Waits for the next mail that the test has not read.
    pub async fn next(&self) -> Mail {
        let number = self.read.fetch_add(1, Ordering::Relaxed);
        eventually("a mail arrives", async || self.mails.lock().get(number).cloned()).await
    }

    /// The number of mails so far.
    pub fn count(&self) -> usize {
        self.mails.lock().len()
    }
}

async fn serve(stream: TcpStream, recipients: u16, mails: &Mutex<Vec<Mail>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut to = String::new();
    write.write_all(b"220 test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "RCPT" if recipients == 250 => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                "250 ok".to_owned()
            }
            // As real servers do, the response quotes the address.
            "RCPT" if recipients == 550 => format!("550 5.1.1 {line}"),
            "RCPT" => format!("{recipients} {line}"),
            "DATA" => {
                write.write_all(b"354 send it\r\n").await?;
                let mut content = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    content.push_str(&line);
                    content.push('\n');
                }
                mails.lock().push(Mail { to: to.clone(), content: decoded(&content) });
                "250 ok".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
