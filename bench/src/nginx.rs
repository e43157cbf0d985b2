//! nginx with one worker for each processor, on loopback.

use std::error::Error;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// It answers within this, or the machine is broken.
const START: Duration = Duration::from_secs(10);

/// A server; it ends when this is dropped.
pub struct Nginx {
    process: Child,
    address: SocketAddr,
}

impl Nginx {
    /// Serves `directory/www`, and stores there what is put; all else that it writes goes into
    /// `directory`.
    pub fn start(directory: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        // Free a moment ago, and nobody else here opens ports.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let root = directory.display();
        let config = format!(
            "daemon off; worker_processes auto; pid {root}/nginx.pid; error_log {root}/nginx.log;\n\
             user root; events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; keepalive_requests 1000000000;\n\
             client_body_temp_path {root}/nginx-body; proxy_temp_path {root}/nginx-proxy;\n\
             fastcgi_temp_path {root}/nginx-fastcgi; uwsgi_temp_path {root}/nginx-uwsgi;\n\
             scgi_temp_path {root}/nginx-scgi; client_max_body_size 0;\n\
             server {{ listen {address}; root {root}/www;\n\
             location / {{ dav_methods PUT; create_full_put_path on; }} }} }}\n"
        );
        let path = directory.join("nginx.conf");
        fs::create_dir_all(directory.join("www"))?;
        fs::write(&path, config)?;
        let process = Command::new("nginx").arg("-c").arg(&path).stderr(Stdio::null()).spawn()?;
        let nginx = Self { process, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > START {
                let log = fs::read_to_string(directory.join("nginx.log")).unwrap_or_default();
                return Err(format!("nginx does not start: {log}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }

    /// `http://ADDRESS`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Of the process that has started the workers.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only if it is asked to end.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
