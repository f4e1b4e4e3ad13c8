package account

import java.sql.DriverManager
import java.util.UUID
import java.util.concurrent.TimeoutException

import scala.concurrent.{ Await, Future }
import scala.concurrent.ExecutionContext.Implicits.global
import scala.concurrent.duration._
import scala.io.Source
import scala.util.Using

import org.scalatest.BeforeAndAfterAll
import org.scalatest.matchers.should.Matchers
import org.scalatest.wordspec.AnyWordSpec

/** What the crate `scenario` asks of the others; DATABASE_JDBC_URL names an empty database. */
class PostgresSpec extends AnyWordSpec with Matchers with BeforeAndAfterAll {
  import Account._

  override def beforeAll(): Unit =
    // One by one: it builds an index concurrently, which goes with nothing else.
    Source.fromResource("schema/postgres/postgres-create-schema.sql").mkString.split(';').foreach(sql)

  "an account" should {
    "live" in {
      val id = UUID.randomUUID().toString

      val bank = new Bank
      get(bank.balance(id)) shouldBe Balance(0)
      get(bank.deposit(id, 500)) shouldBe Balance(500)
      get(bank.withdraw(id, 900)) shouldBe Overdrawn(500)
      get(bank.withdraw(id, 200)) shouldBe Balance(300)
      get(Future.sequence(Seq.fill(10)(bank.deposit(id, 10)))) should have size 10
      get(bank.balance(id)) shouldBe Balance(400)
      get(bank.close())

      val again = new Bank
      get(again.balance(id)) shouldBe Balance(400)
      get(again.deposit(id, 1)) shouldBe Balance(401)
      get(again.close())
    }

    "leave the caller of a failed write to its timeout" in {
      val id = UUID.randomUUID().toString
      val bank = new Bank
      get(bank.deposit(id, 500)) shouldBe Balance(500)

      sql("alter table event_journal add constraint full_up check (false) not valid")
      a[TimeoutException] should be thrownBy get(bank.deposit(id, 10))
      sql("alter table event_journal drop constraint full_up")
      get(bank.deposit(id, 1)) shouldBe Balance(501)
      get(bank.close())
    }
  }

  private def get[T](future: Future[T]): T = Await.result(future, 60.seconds)

  private def sql(text: String): Unit =
    Using.resource(DriverManager.getConnection(sys.env("DATABASE_JDBC_URL"))) { connection =>
      connection.createStatement().execute(text)
      ()
    }
}
