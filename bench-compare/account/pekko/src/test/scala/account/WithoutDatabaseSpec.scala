package account

import org.apache.pekko
import pekko.actor.testkit.typed.scaladsl.ScalaTestWithActorTestKit
import pekko.persistence.testkit.scaladsl.EventSourcedBehaviorTestKit

import com.typesafe.config.ConfigFactory
import org.scalatest.wordspec.AnyWordSpecLike

class WithoutDatabaseSpec
    extends ScalaTestWithActorTestKit(EventSourcedBehaviorTestKit.config.withFallback(ConfigFactory.parseString(
      "pekko.actor.serialization-bindings { \"account.CborSerializable\" = jackson-cbor }")))
    with AnyWordSpecLike {
  import Account._

  "an account" should {
    "refuse what it does not hold" in {
      val account = EventSourcedBehaviorTestKit[Command, Event, State](system, Account("42"))

      val deposited = account.runCommand[Balance](Deposit(500, _))
      deposited.event shouldBe Deposited(500)
      deposited.reply shouldBe Balance(500)
      val refused = account.runCommand[Answer](Withdraw(900, _))
      refused.hasNoEvents shouldBe true
      refused.reply shouldBe Overdrawn(500)
      account.restart().state shouldBe State(500)
    }
  }
}
