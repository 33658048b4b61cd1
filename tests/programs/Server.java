// SPDX-License-Identifier: GPL-2.0-only
// Runs inside a room: an HTTP server of Java, with threads that fill the heap so that the collector's threads work. usage: Server.java PORT
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;

public class Server {
	static final Map<String, Integer> counts = new ConcurrentHashMap<>();
	static final Map<Integer, byte[]> kept = new ConcurrentHashMap<>();

	static void fill(int id) {
		Random random = new Random(id);
		for (;;) {
			int key = random.nextInt(1000) * 2 + id;
			byte[] old = kept.get(key), value = new byte[5000];
			for (int i = 0; i < value.length; i++)
				value[i] = (byte) (key + i);
			if (old != null && !java.util.Arrays.equals(old, value)) {
				System.err.println("the heap is damaged");
				System.exit(1);
			}
			kept.put(key, value);
			if (random.nextInt(20) == 0)
				Thread.yield();
		}
	}

	public static void main(String[] arguments) throws Exception {
		HttpServer server = HttpServer.create(new InetSocketAddress("0.0.0.0", Integer.parseInt(arguments[0])), 100);
		server.createContext("/", exchange -> {
			try {
				byte[] hash = MessageDigest.getInstance("SHA-256").digest(exchange.getRequestBody().readAllBytes());
				StringBuilder text = new StringBuilder();
				text.append(counts.merge(exchange.getRequestURI().getPath(), 1, Integer::sum)).append(' ');
				for (byte b : hash)
					text.append(String.format("%02x", b));
				byte[] answer = text.toString().getBytes();
				exchange.sendResponseHeaders(200, answer.length);
				exchange.getResponseBody().write(answer);
				exchange.close();
			} catch (java.security.NoSuchAlgorithmException e) {
				System.exit(1);
			}
		});
		server.setExecutor(Executors.newFixedThreadPool(8));
		server.start();
		for (int i = 0; i < 2; i++) {
			int id = i;
			new Thread(() -> fill(id)).start();
		}
	}
}
